"""Another address: what it needs, when it counts, and how whoever is shut out gets back in."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.conftest import open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.mfa.people import enrolled
from tests.post import Letter, Post, by_hand


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def ask(client: AsyncClient, me: SignedIn, email: str) -> Response:
    return await client.post("/users/me/email", json={"email": email}, headers=me.headers)


async def asked(client: AsyncClient, post: Post, me: SignedIn, email: str) -> Letter:
    assert (await ask(client, me, email)).status_code == 202
    letter = await post.letter("change_email_confirm")
    assert letter.to == email
    return letter


async def state(client: AsyncClient, me: SignedIn) -> dict[str, Any]:
    answer = await client.get("/users/me/email", headers=me.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def verify(client: AsyncClient, by: SignedIn | None = None, **shown: str) -> int:
    headers = by.headers if by else {}
    return (await client.post("/email/verify", json=shown, headers=headers)).status_code


async def undo(client: AsyncClient, **shown: str) -> int:
    return (await client.post("/email/undo", json=shown)).status_code


async def test_a09_the_old_address_counts_until_the_newest_one_asked_for_is_confirmed(
    client: AsyncClient, make: Make, post: Post, clock: MovableClock
) -> None:
    me = await make.signed_in(await make.user("ada@example.com"))
    first = await asked(client, post, me, "x@example.com")
    second = await asked(client, post, me, "Y@example.com")
    until = (clock.now() + timedelta(hours=24)).isoformat().replace("+00:00", "Z")
    assert await state(client, me) == {
        "email": "ada@example.com",
        "email_verified": False,
        "pending": {"email": "Y@example.com", "expires_at": until},
    }
    assert await verify(client, token=first.token) == 400
    assert await verify(client, email="x@example.com", code=first.code) == 400
    await client.post("/password/forgot", json={"email": "ada@example.com"})
    reset = await post.letter("reset_password")

    assert await verify(client, email="y@example.com", code=second.code) == 204

    assert await state(client, me) == {"email": "Y@example.com", "email_verified": True, "pending": None}
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 400
    assert (await make.sign_in("y@example.com", PASSWORD)).status_code == 200
    # What was sent to the address of before is dead, and whoever has it hears of it.
    body = {"token": reset.token, "password": "another-good-one-77"}
    assert (await client.post("/password/reset", json=body)).status_code == 400
    told = await post.letter("email_changed")
    assert (told.to, told.page) == ("ada@example.com", "/undo-email")
    assert "7 days" in told.text


async def test_a_change_that_waits_can_be_cancelled_and_dies_with_a_new_password(
    client: AsyncClient, make: Make, post: Post
) -> None:
    me = await make.signed_in()
    cancelled = await asked(client, post, me, "x@example.com")
    assert (await client.delete("/users/me/email", headers=me.headers)).status_code == 204
    assert (await state(client, me))["pending"] is None
    assert await verify(client, token=cancelled.token) == 400

    by_thief = await asked(client, post, me, "thief@example.com")
    await client.post("/password/forgot", json={"email": me.person.email})
    letter = await post.letter("reset_password")
    body = {"token": letter.token, "password": "another-good-one-77"}
    assert (await client.post("/password/reset", json=body)).status_code == 204
    assert await verify(client, token=by_thief.token) == 400


async def test_it_needs_a_fresh_sign_in_and_tells_nobody_who_has_the_address(
    client: AsyncClient, make: Make, post: Post, clock: MovableClock
) -> None:
    me, other = await make.signed_in(), await make.user("taken@example.com")
    free, taken = [await ask(client, me, email) for email in ("free@example.com", "taken@example.com")]
    assert (free.status_code, free.json().keys()) == (taken.status_code, taken.json().keys())
    assert free.headers.keys() == taken.headers.keys()
    assert (await state(client, me))["pending"]["email"] == "taken@example.com"
    assert [letter.to for letter in await post.letters()] == ["free@example.com"]
    assert (await make.sign_in(other.email, PASSWORD)).status_code == 200

    clock.move(timedelta(minutes=11))
    late = await ask(client, me, "free@example.com")
    assert (late.status_code, late.json()["code"]) == (401, "reauthentication-required")
    assert await post.letters() == []


async def test_of_all_who_want_an_address_at_once_one_gets_it(
    client: AsyncClient, make: Make, post: Post
) -> None:
    people = [await make.signed_in() for _ in range(2)]
    wanted = [await asked(client, post, me, "wanted@example.com") for me in people]
    # The mail of one does not take the other's chance.
    tries = [
        verify(client, me, token=letter.token) for me, letter in zip(people * 10, wanted * 10, strict=True)
    ]

    statuses = Counter(await asyncio.gather(*tries))

    assert statuses == {204: 1, 400: 19}
    owners = [(await state(client, me))["email"] for me in people]
    assert owners.count("wanted@example.com") == 1

    # Two wishes of one person at once: one of them is left.
    (me,) = [each for each, email in zip(people, owners, strict=True) if email != "wanted@example.com"]
    await post.letters()
    both = await asyncio.gather(ask(client, me, "p@example.com"), ask(client, me, "q@example.com"))
    assert [answer.status_code for answer in both] == [202, 202]
    sent = await post.letters()
    assert sorted([await verify(client, me, token=letter.token) for letter in sent]) == [204, 400]


@pytest.mark.parametrize("by", ["change", "proof"])
async def test_who_is_shut_out_puts_the_address_back(
    client: AsyncClient, make: Make, post: Post, by: str
) -> None:
    thief = await make.signed_in(await make.user("ada@example.com"))
    told = []
    for email in ("b@evil.example", "c@evil.example"):
        if by == "change":
            answer = await client.patch("/users/me", json={"email": email}, headers=thief.headers)
            assert answer.status_code == 200
        else:
            letter = await asked(client, post, thief, email)
            assert await verify(client, thief, token=letter.token) == 204
        told.append(await post.letter("email_changed"))
    to_ada, to_thief = told
    assert (to_ada.to, to_thief.to) == ("ada@example.com", "b@evil.example")
    new = {"password": "a-thiefs-good-one-77", "current_password": PASSWORD}
    assert (await client.patch("/users/me", json=new, headers=thief.headers)).status_code == 200
    await post.letters()

    # Of the offers, an older one outlives a newer one: the thief's own use of theirs does not help them.
    assert await undo(client, token=to_thief.token) == 204
    assert (await post.letter("email_changed")).to == "c@evil.example"
    assert await undo(client, email="ada@example.com", code=to_ada.code) == 204

    gone = await client.get("/users/me", headers=thief.headers)
    assert (gone.status_code, gone.json()["reason"]) == (401, "email_restored")
    assert await undo(client, token=to_ada.token) == 400
    await post.letters()
    await client.post("/password/forgot", json={"email": "ada@example.com"})
    letter = await post.letter("reset_password")
    reset = {"token": letter.token, "password": "another-good-one-78"}
    assert (await client.post("/password/reset", json=reset)).status_code == 204
    assert (await make.sign_in("ada@example.com", "another-good-one-78")).status_code == 200


async def test_an_undone_change_takes_later_offers_with_it_and_ends_after_a_week(
    client: AsyncClient, make: Make, post: Post, clock: MovableClock
) -> None:
    me = await make.signed_in(await make.user("ada@example.com"))
    told = []
    for email in ("b@example.com", "c@example.com"):
        await client.patch("/users/me", json={"email": email}, headers=me.headers)
        told.append(await post.letter("email_changed"))
    assert await undo(client, token=told[0].token) == 204
    assert await undo(client, token=told[1].token) == 400
    await post.letters()

    # The password went with it: whoever had changed the address knew it.
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 400
    await client.post("/password/forgot", json={"email": "ada@example.com"})
    reset = {"token": (await post.letter("reset_password")).token, "password": PASSWORD}
    assert (await client.post("/password/reset", json=reset)).status_code == 204
    await post.letters()
    me = await make.signed_in(me.person)
    await client.patch("/users/me", json={"email": "ADA@example.com"}, headers=me.headers)
    # To the mail server another spelling may be another mailbox.
    last = await post.letter("email_changed")
    clock.move(timedelta(days=7) - timedelta(seconds=1))
    assert (await client.get(last.link)).status_code == 200
    clock.move(timedelta(seconds=1))
    assert await undo(client, token=last.token) == 400


async def test_an_address_that_somebody_else_has_by_now_is_not_put_back(
    client: AsyncClient, make: Make, post: Post
) -> None:
    me = await make.signed_in(await make.user("ada@example.com"))
    await client.patch("/users/me", json={"email": "b@example.com"}, headers=me.headers)
    letter = await post.letter("email_changed")
    await make.user("ada@example.com")
    answer = await client.post("/email/undo", json={"token": letter.token})
    assert (answer.status_code, answer.json()["code"]) == (400, "email-taken")
    assert (await client.post(letter.page, data={"token": letter.token})).status_code == 400
    assert (await state(client, me))["email"] == "b@example.com"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_where_addresses_must_be_verified_there_is_no_way_round(
    settings: Settings, clock: MovableClock
) -> None:
    strict = Gatepost(by_hand(settings, email_verification="required"), clock=clock)
    async with strict.lifespan(), open_client(strict) as client:
        make, post = Make(strict, client), Post(strict)
        administrator = await make.administrator("root@example.com")
        await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
        asked_of = await post.letter("verify_email")
        assert await verify(client, token=asked_of.token, password=PASSWORD) == 204
        me = await make.signed_in(type(administrator)(administrator.id, "ada@example.com"))
        own = f"/users/{(await client.get('/users/me', headers=me.headers)).json()['id']}"
        # Another spelling may be another mailbox to the mail server.
        for path, email in (
            ("/users/me", "new@example.com"),
            (own, "new@example.com"),
            (own, "ADA@example.com"),
        ):
            refused = await client.patch(path, json={"email": email}, headers=me.headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "email-needs-proof")
        same = await client.patch("/users/me", json={"email": "ada@example.com"}, headers=me.headers)
        assert same.status_code == 200


async def apps(client: AsyncClient, me: SignedIn) -> list[str]:
    answer = await client.get("/users/me/factors", headers=me.headers)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"] if each["kind"] == "totp"]


async def test_a09_d10_undoing_takes_factors_of_late_away_and_no_older_ones(
    client: AsyncClient, make: Make, post: Post, clock: MovableClock
) -> None:
    """A thief with the password adds an app to come in by; an old mailbox alone must not open what an app guards."""
    ada = await make.user("ada@example.com")
    me = await make.signed_in(ada)
    letter = await asked(client, post, me, "ada2@example.com")
    assert await verify(client, me, token=letter.token) == 204
    await enrolled(client, me, clock.now())
    clock.move(timedelta(days=30))
    thief = await make.strongly_signed_in(ada)
    (older,) = await apps(client, thief)
    await enrolled(client, thief, clock.now())
    assert len(await apps(client, thief)) == 2
    await post.letters()  # until now
    letter = await asked(client, post, thief, "thief@example.com")
    assert await verify(client, thief, token=letter.token) == 204
    told = await post.letter("email_changed")

    assert await undo(client, token=told.token) == 204

    again = await make.strongly_signed_in(ada)
    assert await apps(client, again) == [older]
