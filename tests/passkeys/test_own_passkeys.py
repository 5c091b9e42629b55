"""One's own passkeys over HTTP: what the browser is told, what is kept, and what is taken away."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import delete, func, select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.passkeys import Passkey, PasskeyChallenge, PasskeyHandle, PasskeyInvalid
from gatepost.passwords import Password
from tests.authenticator import Authenticator, ed25519_key, rsa_key
from tests.login.factors import give_passkey
from tests.make import Make
from tests.passkeys.desk import ORIGIN, OWN, Desk, desk_with
from tests.post import Post, by_hand
from tests.security.expect import assert_challenged, assert_problem

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_passkey_is_made_named_listed_and_removed(
    desk: Desk, client: AsyncClient, make: Make
) -> None:
    me = await make.strongly_signed_in()
    phone, stick = Authenticator(synced=True, counts=False), Authenticator(ed25519_key(), verifies=False)

    added = await desk.add(me, phone, "  Phone ")
    second = await desk.add(me, stick, "Stick")

    listed = (await client.get(OWN, headers=me.headers)).json()
    assert [item["name"] for item in listed["items"]] == ["Phone", "Stick"]
    assert listed["items"] == [added, second]
    assert (listed["rp_id"], listed["user_handle"]) == ("localhost", phone.user_handle)
    assert phone.user_handle == stick.user_handle
    assert added["transports"] == ["hybrid", "internal"]
    kept = ("user_verified", "backup_eligible", "backed_up", "discoverable", "last_used_at")
    assert [added[name] for name in kept] == [True, True, True, True, None]
    assert [second[name] for name in kept] == [False, False, False, True, None]

    path = f"{OWN}/{added['id']}"
    renamed = await client.patch(path, json={"name": "Old phone"}, headers=me.headers)
    assert (renamed.status_code, renamed.json()) == (200, {**added, "name": "Old phone"})
    assert (await client.delete(path, headers=me.headers)).status_code == 204
    assert [item["name"] for item in await desk.items(me)] == ["Stick"]
    assert_problem(await client.delete(path, headers=me.headers), 404)
    assert_problem(await client.patch(path, json={"name": "x"}, headers=me.headers), 404)

    with pytest.raises(PasskeyInvalid):
        await desk.sign_in(phone)
    assert (await desk.sign_in(stick)).user_id == me.person.id
    assert len(await desk.events("passkey.added")) == 2
    (removed,) = await desk.events("passkey.removed")
    expected = {"passkey_id": added["id"], "reason": "by_owner", "factor": "passkey", "subject": me.person.id}
    assert removed == expected
    assert [each["passkey_id"] for each in await desk.events("passkey.renamed")] == [added["id"]]


@on_one_database
async def test_the_browser_is_told_all_that_it_needs_and_nothing_of_the_account(
    desk: Desk, client: AsyncClient, make: Make
) -> None:
    me = await make.strongly_signed_in(await make.user("ada@example.com"))
    known = Authenticator()
    await desk.add(me, known)

    options = await desk.options(me)

    assert options == {
        "rp": {"id": "localhost", "name": "Gatepost"},
        "user": {"id": known.user_handle, "name": "ada@example.com", "displayName": "ada@example.com"},
        "challenge": options["challenge"],
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-7, -8, -257)],
        "timeout": 300_000,
        "excludeCredentials": [
            {
                "type": "public-key",
                "id": (await desk.items(me))[0]["credential_id"],
                "transports": ["hybrid", "internal"],
            }
        ],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "preferred",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }
    assert len(options["challenge"]) == len(known.user_handle) == 43
    assert str(me.person.id) not in str(options)
    assert (await client.get(OWN, headers=me.headers)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "\u202egnissap", "a\0b"])
@on_one_database
async def test_a_name_is_one_line_of_visible_text(desk: Desk, make: Make, name: str) -> None:
    me = await make.strongly_signed_in()
    made = Authenticator().create(await desk.options(me), ORIGIN)
    assert_problem(await desk.send(me, made, name), 422)
    assert (await desk.send(me, made, "\N{KEY} Ключ")).status_code == 201


@on_one_database
async def test_what_browsers_add_one_day_does_no_harm(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    key = Authenticator(rsa_key(), counts=False)
    made = key.create(await desk.options(me), ORIGIN)
    made |= {"newMember": {"x": 1}, "clientExtensionResults": {"credProps": {"rk": "yes"}, "prf": None}}
    made["response"] |= {"another": [], "transports": []}
    answer = await desk.send(me, made)
    assert (answer.status_code, answer.json()["discoverable"]) == (201, None)
    assert (await desk.sign_in(key)).user_verified


@on_one_database
async def test_there_is_an_end_to_how_many(database_url: str, tmp_path: Path) -> None:
    async with desk_with(database_url, tmp_path, most_per_user=2) as (desk, make):
        me = await make.strongly_signed_in()
        await desk.add(me)
        late = Authenticator().create(await desk.options(me), ORIGIN)
        await give_passkey(desk.gatepost, me.person.id, Authenticator())

        refused = [
            await desk.client.post(f"{OWN}/options", headers=me.headers),
            await desk.send(me, late),
        ]

        assert [answer.json()["code"] for answer in refused] == ["too-many-passkeys"] * 2
        assert_problem(refused[0], 409)
        assert len(await desk.items(me)) == 2


async def test_without_a_password_the_last_one_stays(
    gatepost: Gatepost, desk: Desk, client: AsyncClient, make: Make
) -> None:
    me = await make.strongly_signed_in()
    first, second = [(await desk.add(me, Authenticator(), name))["id"] for name in ("one", "two")]
    async with gatepost.database.write() as transaction:
        await transaction.execute(delete(Password).where(Password.user_id == me.person.id))

    assert (await client.delete(f"{OWN}/{first}", headers=me.headers)).status_code == 204
    refused = await client.delete(f"{OWN}/{second}", headers=me.headers)

    assert_problem(refused, 409)
    assert refused.json()["code"] == "last-way-in"
    assert [item["id"] for item in await desk.items(me)] == [second]
    assert len(await desk.events("passkey.removed")) == 1


@on_one_database
async def test_e09_every_change_needs_a_fresh_sign_in_and_every_call_a_session(
    desk: Desk, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.strongly_signed_in()
    added = await desk.add(me)
    key = Authenticator()
    late = key.create(await desk.options(me), ORIGIN)
    path = f"{OWN}/{added['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{OWN}/options", None),
        ("POST", OWN, {"name": "x", "credential": late}),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
    ]
    for method, where, body in (*calls, ("GET", OWN, None)):
        assert_challenged(await client.request(method, where, json=body))

    clock.move(timedelta(minutes=11))
    for method, where, body in calls:
        answer = await client.request(method, where, json=body, headers=me.headers)
        assert_challenged(answer)
        assert answer.json()["code"] == "reauthentication-required"
    assert await desk.items(me) == [added]


@on_one_database
async def test_d10_a_challenge_is_for_the_session_that_asked(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    again, other = await make.strongly_signed_in(me.person), await make.strongly_signed_in()
    for thief in (again, other):
        key = Authenticator()
        stolen = key.create(await desk.options(me), ORIGIN)
        answer = await desk.send(thief, stolen)
        assert (answer.status_code, answer.json()["reason"]) == (400, "challenge_of_another")
        # It is not used up by those whom it does not concern.
        assert (await desk.send(me, stolen)).status_code == 201


@on_one_database
async def test_e11_nobody_lists_renames_or_removes_anothers(
    desk: Desk, client: AsyncClient, make: Make
) -> None:
    victim, thief = await make.strongly_signed_in(), await make.strongly_signed_in(await make.administrator())
    added = await desk.add(victim)
    path = f"{OWN}/{added['id']}"
    assert await desk.items(thief) == []
    for answer in (
        await client.patch(path, json={"name": "mine"}, headers=thief.headers),
        await client.delete(path, headers=thief.headers),
        await client.delete(f"{OWN}/{UUID(int=1)}", headers=thief.headers),
    ):
        assert_problem(answer, 404)
        assert answer.json()["code"] == "passkey-not-found"
    assert await desk.items(victim) == [added]


async def test_erasing_the_account_leaves_nothing(
    gatepost: Gatepost, desk: Desk, client: AsyncClient, make: Make
) -> None:
    me = await make.strongly_signed_in()
    await desk.add(me)
    await desk.options(me)
    assert (await client.delete("/users/me", headers=me.headers)).status_code == 204
    for table in (Passkey, PasskeyHandle, PasskeyChallenge):
        row = await gatepost.database.reads.first(select(func.count().label("rows")).select_from(table))
        assert row is not None
        assert row.rows == 0, table


@on_one_database
async def test_a_copy_of_the_account_has_the_passkeys(desk: Desk, client: AsyncClient, make: Make) -> None:
    me = await make.strongly_signed_in()
    added = await desk.add(me)
    await desk.options(me)
    parts = (await client.get("/users/me/export", headers=me.headers)).json()["parts"]
    (passkey,) = parts["passkeys"]
    assert passkey["credential_id"] == added["credential_id"]
    assert passkey["public_key"]
    assert len(parts["passkey_handle"]) == 1
    assert len(parts["passkey_challenges"]) == 2


@on_one_database
async def test_challenges_are_forgotten(
    gatepost: Gatepost, desk: Desk, make: Make, clock: MovableClock
) -> None:
    me = await make.strongly_signed_in()
    for _ in range(3):
        await desk.options(me)
    rows = select(func.count(PasskeyChallenge.id).label("rows"))
    found = await gatepost.database.reads.first(rows)
    assert found is not None
    assert found.rows == 1  # the newest alone counts
    clock.move(timedelta(hours=2))
    assert (await gatepost.schedule.run_all())["passkey-challenges.expired"] == 1


class TestByMail:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return by_hand(settings)

    @pytest.fixture
    def post(self, gatepost: Gatepost) -> Post:
        return Post(gatepost)

    @on_one_database
    async def test_its_owner_is_told_when_one_is_added_or_removed(
        self, desk: Desk, client: AsyncClient, make: Make, post: Post
    ) -> None:
        me = await make.strongly_signed_in()
        await post.letters()
        added = await desk.add(me)
        told = await post.letter("factor_added")
        assert (told.to, "Passkey" in told.text) == (me.person.email, True)
        await client.delete(f"{OWN}/{added['id']}", headers=me.headers)
        assert "Passkey" in (await post.letter("factor_removed")).text

    async def test_a03_who_shows_that_the_address_is_theirs_is_rid_of_passkeys_made_before(
        self, desk: Desk, client: AsyncClient, make: Make, post: Post
    ) -> None:
        squatter = await make.strongly_signed_in(await make.user("victim@example.com"))
        planted = Authenticator()
        await desk.add(squatter, planted)
        squatter = await make.strongly_signed_in(squatter.person)
        made = await client.post("/users/me/factors/recovery-codes", headers=squatter.headers)
        assert len(made.json()["codes"]) == 10
        await post.letters()

        for password, passkeys_left in (("another-good-one-77", 0), ("yet-a-third-one-88", 1)):
            await client.post("/password/forgot", json={"email": "victim@example.com"})
            letter = next(each for each in await post.letters() if each.kind == "reset_password")
            reset = await client.post("/password/reset", json={"token": letter.token, "password": password})
            assert reset.status_code == 204
            # The new password signs nobody in who has a passkey.
            tried = await make.sign_in("victim@example.com", password)
            assert tried.status_code == (403 if passkeys_left else 200)
            owner = await make.weakly_signed_in(squatter.person)
            left = (await client.get(OWN, headers=owner.headers)).json()["items"]
            assert len(left) == passkeys_left
            if not passkeys_left:
                factors = (await client.get("/users/me/factors", headers=owner.headers)).json()
                assert factors["recovery_codes_left"] == 0
                with pytest.raises(PasskeyInvalid):
                    await desk.sign_in(planted)
                # Her own, made now that the address is known to be hers, outlives the next forgotten password.
                await desk.add(owner)
        (removed,) = await desk.events("passkey.removed")
        assert removed["reason"] == "address_proven"


@on_one_database
async def test_one_model_of_authenticators_only(database_url: str, tmp_path: Path) -> None:
    model = UUID("ee882879-721c-4913-9775-3dfcce97072a")
    chosen: dict[str, Any] = {"aaguids": [model], "user_verification": "required", "discoverable": "required"}
    async with desk_with(database_url, tmp_path, **chosen) as (desk, make):
        me = await make.strongly_signed_in()
        options = await desk.options(me)
        assert options["attestation"] == "direct"
        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        for key, reason in (
            (Authenticator(), "aaguid"),
            (Authenticator(aaguid=model.bytes, verifies=False), "user_not_verified"),
        ):
            answer = await desk.send(me, key.create(await desk.options(me), ORIGIN))
            assert (answer.status_code, answer.json()["reason"]) == (400, reason)
        right = Authenticator(aaguid=model.bytes)
        assert (await desk.add(me, right))["aaguid"] == str(model)
        right.flags &= ~4
        with pytest.raises(PasskeyInvalid):
            await desk.sign_in(right)
        assert await desk.last_reason() == "user_not_verified"
