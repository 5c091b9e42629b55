"""One's own second factors over HTTP: added, listed, removed, and by nobody else."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr
from sqlalchemy import select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.ids import new_id
from gatepost.mfa import FactorResets, Mfa, RecoveryCode, TotpFactor
from tests.conftest import open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.mfa.people import App, enrolled, recovered, shows, strongly_signed_in
from tests.post import Post, by_hand


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


async def listed(client: AsyncClient, me: SignedIn) -> dict[str, Any]:
    answer = await client.get("/users/me/factors", headers=me.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_app_counts_once_it_is_confirmed_and_is_told(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    begun = await client.post("/users/me/factors/totp", json={"name": "Phone"}, headers=me.headers)
    assert begun.status_code == 200, begun.text
    assert begun.headers["cache-control"] == "no-store"
    body = begun.json()
    app = App(body["id"], body["uri"])
    assert app.secret == body["secret"]
    assert body["qr_svg"].startswith("<svg")
    # E09: what is not confirmed neither counts nor is asked for.
    assert (await listed(client, me))["items"] == []
    assert await shows(gatepost, me.person, app.code(clock.now())) == "code-wrong"

    confirm = {"id": body["id"], "code": app.wrong_code(clock.now())}
    wrong = await client.post("/users/me/factors/totp/confirm", json=confirm, headers=me.headers)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "code-wrong")
    confirm["code"] = app.code(clock.now())
    done = await client.post("/users/me/factors/totp/confirm", json=confirm, headers=me.headers)
    assert done.status_code == 200, done.text
    codes = done.json()["recovery_codes"]
    assert len(set(codes)) == 10
    again = await client.post("/users/me/factors/totp/confirm", json=confirm, headers=me.headers)
    assert again.status_code in {400, 401}

    found = await listed(client, me)
    assert [(each["kind"], each["name"]) for each in found["items"]] == [("totp", "Phone")]
    assert (found["recovery_codes_left"], found["reset_due_at"]) == (10, None)
    assert body["secret"] not in str(found)
    letter = await post.letter("factor_added")
    assert letter.to == me.person.email
    # E04: the code that confirmed is used, here as elsewhere.
    assert await shows(gatepost, me.person, confirm["code"]) == "code-wrong"
    clock.move(timedelta(seconds=30))
    assert await shows(gatepost, me.person, app.code(clock.now())) == "right"


async def test_e09_adding_needs_a_fresh_sign_in_and_is_over_after_a_while(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    begun = (await client.post("/users/me/factors/totp", json={}, headers=me.headers)).json()
    app = App(begun["id"], begun["uri"])
    clock.move(timedelta(minutes=10))
    confirm = {"id": begun["id"], "code": app.code(clock.now())}
    late = await client.post("/users/me/factors/totp/confirm", json=confirm, headers=me.headers)
    assert late.status_code == 400
    clock.move(timedelta(seconds=1))
    for path, body in (("totp", {}), ("totp/confirm", confirm)):
        stale = await client.post(f"/users/me/factors/{path}", json=body, headers=me.headers)
        assert (stale.status_code, stale.json()["code"]) == (401, "reauthentication-required")
        assert 'max_age="600"' in stale.headers["www-authenticate"]


async def test_e09_the_one_begun_last_alone_can_be_confirmed(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    first, second = [
        (await client.post("/users/me/factors/totp", json={}, headers=me.headers)).json() for _ in range(2)
    ]
    for begun, status in ((first, 400), (second, 200)):
        confirm = {"id": begun["id"], "code": App(begun["id"], begun["uri"]).code(clock.now())}
        answer = await client.post("/users/me/factors/totp/confirm", json=confirm, headers=me.headers)
        assert answer.status_code == status, answer.text


async def test_d10_with_the_password_alone_nobody_changes_the_factors_of_who_has_one(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    thief = await make.weakly_signed_in(me.person)
    tries = [
        await client.delete(f"/users/me/factors/{app.id}", headers=thief.headers),
        await client.post("/users/me/factors/recovery-codes", headers=thief.headers),
        await client.post("/users/me/factors/totp", json={}, headers=thief.headers),
        await client.delete(f"/users/me/factors/{app.id}", headers=me.headers),
    ]
    assert Counter((each.status_code, each.json()["code"]) for each in tries) == {
        (401, "reauthentication-required"): 4
    }
    assert "multi-factor" in tries[0].headers["www-authenticate"]
    strong = await strongly_signed_in(gatepost, me.person)
    assert (await client.post("/users/me/factors/totp", json={}, headers=strong.headers)).status_code == 200


async def test_a_change_ends_the_other_sessions_and_the_last_factor_takes_the_codes_along(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    elsewhere = await make.signed_in(me.person)
    app = await enrolled(client, me, clock.now())
    ended = await client.get("/users/me", headers=elsewhere.headers)
    assert (ended.status_code, ended.json()["reason"]) == (401, "factors_changed")
    assert (await client.get("/users/me", headers=me.headers)).status_code == 200
    await post.letters()

    strong = await strongly_signed_in(gatepost, me.person)
    clock.move(timedelta(seconds=30))
    second = await enrolled(client, strong, clock.now(), name="Tablet")
    assert second.recovery_codes == ()
    assert (await client.get("/users/me", headers=me.headers)).status_code == 401
    for each in (app, second):
        gone = await client.delete(f"/users/me/factors/{each.id}", headers=strong.headers)
        assert gone.status_code == 204, gone.text
        assert (
            await client.delete(f"/users/me/factors/{each.id}", headers=strong.headers)
        ).status_code == 404

    assert Counter(each.kind for each in await post.letters()) == {"factor_added": 1, "factor_removed": 2}
    assert (await listed(client, strong))["recovery_codes_left"] == 0
    assert await recovered(gatepost, me.person, app.recovery_codes[0]) is None
    assert await shows(gatepost, me.person, second.code(clock.now() + timedelta(seconds=30))) == "code-wrong"


async def test_e11_factors_and_devices_of_others_are_not_there(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    ada, eve = await make.signed_in(), await make.signed_in()
    app = await enrolled(client, ada, clock.now())
    begun = (await client.post("/users/me/factors/totp", json={}, headers=eve.headers)).json()
    strong = await strongly_signed_in(gatepost, eve.person)
    stolen = {"id": str(app.id), "code": app.code(clock.now() + timedelta(seconds=30))}
    assert (await client.delete(f"/users/me/factors/{app.id}", headers=strong.headers)).status_code == 404
    assert (
        await client.post("/users/me/factors/totp/confirm", json=stolen, headers=strong.headers)
    ).status_code == 400
    theirs = {"id": begun["id"], "code": App(begun["id"], begun["uri"]).code(clock.now())}
    strong_ada = await strongly_signed_in(gatepost, ada.person)
    assert (
        await client.post("/users/me/factors/totp/confirm", json=theirs, headers=strong_ada.headers)
    ).status_code == 400
    assert (await client.get(f"/users/{ada.person.id}/factors", headers=strong.headers)).status_code == 403
    assert len((await listed(client, ada))["items"]) == 1


async def test_e07_new_recovery_codes_make_the_old_set_dead(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock
) -> None:
    me, other = await make.signed_in(), await make.signed_in()
    assert (await client.post("/users/me/factors/recovery-codes", headers=me.headers)).json()[
        "code"
    ] == "no-factor"
    old = (await enrolled(client, me, clock.now())).recovery_codes
    theirs = (await enrolled(client, other, clock.now())).recovery_codes
    assert await recovered(gatepost, me.person, old[0]) == 9
    strong = await strongly_signed_in(gatepost, me.person)
    await post.letters()

    answer = await client.post("/users/me/factors/recovery-codes", headers=strong.headers)

    assert answer.status_code == 200, answer.text
    new = answer.json()["codes"]
    assert len(set(new) | set(old)) == 20
    assert (await post.letter("factor_added")).to == me.person.email
    assert [await recovered(gatepost, me.person, code) for code in (old[0], old[1], theirs[0])] == [None] * 3
    assert await recovered(gatepost, me.person, new[0].lower().replace("-", " ")) == 9
    assert await recovered(gatepost, me.person, new[0]) is None
    assert (await listed(client, strong))["recovery_codes_left"] == 9
    assert (await post.letter("recovery_codes_used")).to == me.person.email


async def test_of_secrets_and_codes_nothing_readable_lies_in_the_database_or_leaves_it(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    taken = (await client.get("/users/me/export", headers=me.headers)).json()
    assert [each["name"] for each in taken["parts"]["authenticator_apps"]] == [None]
    assert len(taken["parts"]["recovery_codes"]) == 10
    kept = [
        *await gatepost.database.reads.rows(select(TotpFactor.secret)),
        *await gatepost.database.reads.rows(select(RecoveryCode.digest)),
    ]
    for secret in (app.secret, *app.recovery_codes):
        assert secret not in str(taken)
        assert secret.encode() not in b"".join(bytes(row[0]) for row in kept)
    strong = await strongly_signed_in(gatepost, me.person)
    assert (await client.delete("/users/me", headers=strong.headers)).status_code == 204
    assert await gatepost.database.reads.rows(select(TotpFactor.id)) == []
    assert await gatepost.database.reads.rows(select(RecoveryCode.id)) == []


@pytest.mark.parametrize("policy", ["off", "required", "required-for-administrators"])
async def test_e01_policy_says_whether_one_may_be_added_and_the_last_one_removed(
    settings: Settings, clock: MovableClock, policy: str
) -> None:
    mfa = settings.mfa.model_copy(update={"policy": policy})
    service = Gatepost(settings.model_copy(update={"mfa": mfa}), clock=clock)
    async with service.lifespan(), open_client(service) as client:
        make = Make(service, client)
        me = await make.weakly_signed_in(await make.administrator())
        begun = await client.post("/users/me/factors/totp", json={}, headers=me.headers)
        if policy == "off":
            assert (begun.status_code, begun.json()["code"]) == (403, "factors-off")
            return
        app = await enrolled(client, me, clock.now())
        strong = await strongly_signed_in(service, me.person)
        refused = await client.delete(f"/users/me/factors/{app.id}", headers=strong.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "factor-needed")
        clock.move(timedelta(seconds=30))
        other = await enrolled(client, strong, clock.now())
        for each, status in ((app, 204), (other, 409)):
            answer = await client.delete(f"/users/me/factors/{each.id}", headers=strong.headers)
            assert answer.status_code == status, answer.text


async def test_a_new_password_still_needs_the_factor_and_forgets_what_was_remembered(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    async with gatepost.work() as work:
        remembered = await gatepost.build(Mfa, work).remember(me.person.id)
    assert remembered is not None
    change = {"current_password": PASSWORD, "password": "another-good-one-77"}
    assert (await client.patch("/users/me", json=change, headers=me.headers)).status_code == 200
    mfa = gatepost.build(Mfa, gatepost.reading())
    assert await mfa.remembered(me.person.id, remembered[0]) is None
    assert (await mfa.enrolled(me.person.id)).methods == ("totp", "recovery_code")
    clock.move(timedelta(seconds=30))
    assert await shows(gatepost, me.person, app.code(clock.now())) == "right"


async def test_apps_work_on_after_the_secret_key_was_changed_and_all_was_sealed_anew(
    client: AsyncClient, make: Make, gatepost: Gatepost, settings: Settings, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    old, new = settings.secret_key, SecretStr("u6eAs4fPg8dJm5cHn2bXy7rLw9qTv3kZ")
    assert old is not None
    both = settings.model_copy(update={"secret_key": new, "previous_secret_keys": [old]})
    alone = settings.model_copy(update={"secret_key": new})
    for changed in (both, alone):
        clock.move(timedelta(seconds=30))
        service = Gatepost(changed, clock=clock)
        async with service.lifespan():
            assert await shows(service, me.person, app.code(clock.now())) == "right"
            assert (await service.sealed.reseal()).unopened == {}
    assert await recovered(gatepost, me.person, app.recovery_codes[0]) == 9


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_g03_what_anybody_may_ask_says_nothing_about_who_has_a_factor(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me, without, stranger = [await make.signed_in() for _ in range(3)]
    await enrolled(client, me, clock.now())
    async with gatepost.work() as work:
        await gatepost.build(FactorResets, work).ask(me.person.id)
    said = set()
    for email in (me.person.email, without.person.email, "nobody@example.com"):
        cancelled = await client.post("/factors/reset/cancel", json={"email": email, "code": "x"})
        first = await make.sign_in(email, "not this one")
        said.add(
            (cancelled.status_code, cancelled.json()["detail"], first.status_code, first.json()["detail"])
        )
    assert len(said) == 1
    for user_id in (me.person.id, without.person.id, new_id()):
        for method, path in (("GET", "factors"), ("POST", "factors/reset")):
            answer = await client.request(method, f"/users/{user_id}/{path}", headers=stranger.headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_person_has_at_most_five_apps(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    for _ in range(5):
        await enrolled(client, me, clock.now())
        me = await strongly_signed_in(gatepost, me.person)
    refused = await client.post("/users/me/factors/totp", json={}, headers=me.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "too-many-factors")
