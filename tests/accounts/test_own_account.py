"""Changing and deleting one's own account: what proof it needs and what it ends."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from gatepost.core.clock import MovableClock
from tests.make import PASSWORD, Make, SignedIn

NEW = "another-good-one-77"
NEW_PASSWORD = {"password": NEW, "current_password": PASSWORD}


async def change(client: AsyncClient, me: SignedIn, body: dict[str, Any], **headers: str) -> Response:
    return await client.patch("/users/me", json=body, headers={**me.headers, **headers})


async def test_a_new_password_needs_the_current_one(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()

    for given in ({}, {"current_password": "not this one"}, {"current_password": None}):
        answer = await change(client, me, {"password": NEW, **given})
        assert (answer.status_code, answer.json()["code"]) == (422, "current-password-wrong")
        assert answer.json()["errors"][0]["field"] == "current_password"

    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


async def test_a_new_password_works_at_once_and_ends_the_other_sessions(
    client: AsyncClient, make: Make
) -> None:
    person = await make.user()
    here, there = await make.signed_in(person), await make.signed_in(person)

    assert (await change(client, here, NEW_PASSWORD)).status_code == 200

    assert (await client.get("/users/me", headers=here.headers)).status_code == 200
    assert (await client.get("/users/me", headers=there.headers)).status_code == 401
    assert (await make.refresh(there.refresh_token)).status_code == 400
    assert (await make.sign_in(person.email, PASSWORD)).status_code == 400
    assert (await make.sign_in(person.email, NEW)).status_code == 200


async def test_a_new_password_is_a_new_version(client: AsyncClient, make: Make) -> None:
    """Also when the clock has not moved between two changes."""
    me = await make.signed_in()
    before = (await client.get("/users/me", headers=me.headers)).headers["etag"]

    changed = await change(client, me, NEW_PASSWORD)

    assert changed.headers["etag"] != before
    assert (await change(client, me, {"name": "Ada"}, **{"If-Match": before})).status_code == 412


async def test_a_new_password_meets_the_policy_against_the_new_address(
    client: AsyncClient, make: Make
) -> None:
    me = await make.signed_in()

    easy = await change(client, me, {**NEW_PASSWORD, "password": "password123"})
    built = {"email": "tangerine.lighthouse@example.com", **NEW_PASSWORD, "password": "tangerine.lighthouse"}
    answer = await change(client, me, built)

    assert (easy.status_code, easy.json()["code"]) == (422, "password-refused")
    assert (answer.status_code, answer.json()["code"]) == (422, "password-refused")


async def test_what_cannot_be_undone_needs_a_fresh_sign_in(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    clock.move(timedelta(minutes=10))
    assert (await change(client, me, {"email": "ada@example.com"})).status_code == 200
    clock.move(timedelta(seconds=1))

    answers = [
        await change(client, me, {"email": "eve@example.com"}),
        await change(client, me, NEW_PASSWORD),
        await client.delete("/users/me", headers=me.headers),
        await client.delete(f"/users/{me.person.id}", headers=me.headers),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (401, "reauthentication-required")
        assert answer.json()["max_age"] == 600
        assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
    assert (await change(client, me, {"name": "Ada"})).status_code == 200
    # A refreshed token is not a fresh sign-in; signing in again is.
    fresh = (await make.refresh(me.refresh_token)).json()["access_token"]
    headers = {"Authorization": f"Bearer {fresh}"}
    assert (await client.delete("/users/me", headers=headers)).status_code == 401
    again = (await make.sign_in("ada@example.com", PASSWORD)).json()["access_token"]
    headers = {"Authorization": f"Bearer {again}"}
    assert (await client.delete("/users/me", headers=headers)).status_code == 204


async def test_nobody_enables_or_disables_themselves(client: AsyncClient, make: Make) -> None:
    for me in (await make.signed_in(), await make.signed_in(await make.administrator())):
        for value in (True, False):
            answer = await change(client, me, {"is_active": value})
            assert (answer.status_code, answer.json()["code"]) == (403, "field-not-yours")


async def test_a_change_of_nothing_is_no_new_version(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    before = (await client.get("/users/me", headers=me.headers)).headers["etag"]

    for body in ({}, {"name": None}, {"email": me.person.email}, {"email": None}):
        answer = await change(client, me, body)
        assert (answer.status_code, answer.headers["etag"]) == (200, before)


async def test_a_name_can_be_taken_away(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    await change(client, me, {"name": "Ada"})

    assert (await change(client, me, {"name": None})).json()["name"] is None


async def test_one_may_spell_ones_own_address_anew(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in(await make.user("ada@example.com"))

    assert (await change(client, me, {"email": "Ada@Example.COM"})).json()["email"] == "Ada@Example.COM"


async def test_of_many_changes_of_one_version_one_succeeds(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    seen = (await client.get("/users/me", headers=me.headers)).headers["etag"]

    answers = await asyncio.gather(
        *(change(client, me, {"name": f"Ada {number}"}, **{"If-Match": seen}) for number in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    (winner,) = [answer.json()["name"] for answer in answers if answer.status_code == 200]
    assert (await client.get("/users/me", headers=me.headers)).json()["name"] == winner


async def test_of_changes_at_once_none_is_lost(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    first = int((await client.get("/users/me", headers=me.headers)).headers["etag"].strip('"'))

    answers = await asyncio.gather(*(change(client, me, {"name": f"Ada {number}"}) for number in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    versions = sorted(int(answer.headers["etag"].strip('"')) for answer in answers)
    assert versions == list(range(first + 1, first + 9))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_if_match_takes_our_tags_and_the_star(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    current = (await client.get("/users/me", headers=me.headers)).headers["etag"]

    assert (await change(client, me, {}, **{"If-Match": "*"})).status_code == 200
    assert (await change(client, me, {}, **{"If-Match": f" {current} "})).status_code == 200
    unquoted = await change(client, me, {}, **{"If-Match": "1"})
    assert (unquoted.status_code, unquoted.json()["errors"][0]["field"]) == (422, "If-Match")
    for tag in (f"W/{current}", '"abc"', f"{current}, {current}", '"-1"', '""'):
        answer = await change(client, me, {}, **{"If-Match": tag})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale-version"), tag


async def test_two_new_passwords_at_once_are_one(client: AsyncClient, make: Make) -> None:
    """Each proves the old password; only the first proof still holds when its turn comes."""
    me = await make.signed_in()
    wanted = ["another-good-one-77", "another-good-one-88"]

    answers = await asyncio.gather(
        *(change(client, me, {**NEW_PASSWORD, "password": each}) for each in wanted)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    signed_in = [(await make.sign_in(me.person.email, each)).status_code for each in wanted]
    assert signed_in == [answer.status_code if answer.status_code == 200 else 400 for answer in answers]


async def test_an_administrator_sets_a_password_without_knowing_the_old_and_ends_all_sessions(
    client: AsyncClient, make: Make
) -> None:
    administrator, victim = await make.signed_in(await make.administrator()), await make.signed_in()
    path = f"/users/{victim.person.id}"

    answer = await client.patch(path, json={"password": NEW}, headers=administrator.headers)

    assert answer.status_code == 200
    assert (await client.get("/users/me", headers=victim.headers)).status_code == 401
    assert (await make.sign_in(victim.person.email, NEW)).status_code == 200
    easy = await client.patch(path, json={"password": "password123"}, headers=administrator.headers)
    assert (easy.status_code, easy.json()["code"]) == (422, "password-refused")


async def test_a_disabled_person_may_return_and_has_to_sign_in(client: AsyncClient, make: Make) -> None:
    administrator, victim = await make.signed_in(await make.administrator()), await make.signed_in()
    path = f"/users/{victim.person.id}"
    await client.patch(path, json={"is_active": False}, headers=administrator.headers)
    assert (await make.sign_in(victim.person.email, PASSWORD)).status_code == 400

    await client.patch(path, json={"is_active": True}, headers=administrator.headers)

    assert (await client.get("/users/me", headers=victim.headers)).status_code == 401
    assert (await make.sign_in(victim.person.email, PASSWORD)).status_code == 200
