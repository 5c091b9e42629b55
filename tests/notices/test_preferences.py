"""Turning notices off: one's own, only some, and not with a sign-in of long ago."""

from datetime import timedelta

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.notices import MUTABLE
from tests.make import Make
from tests.security.expect import assert_problem

PATH = "/users/me/notices"
ALL = sorted(MUTABLE)


async def test_notices_are_turned_off_and_on(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me, other = await make.signed_in(), await make.signed_in()
    answer = await client.get(PATH, headers=me.headers)
    assert (answer.status_code, answer.json()) == (200, {"muted": [], "mutable": ALL})

    for muted in (["new_device"], ["new_device", "new_device"], ALL, ["sessions_ended_by_reuse"]):
        answer = await client.put(PATH, json={"muted": muted}, headers=me.headers)
        assert (answer.status_code, answer.json()) == (200, {"muted": sorted(set(muted)), "mutable": ALL})
        assert (await client.get(PATH, headers=me.headers)).json() == answer.json()
    assert (await client.get(PATH, headers=other.headers)).json()["muted"] == []

    # To hear more takes no more than being signed in; to hear less, and to silence a thief's own traces, does.
    clock.move(gatepost.settings.accounts.fresh_for + timedelta(seconds=1))
    old = await make.refresh(me.refresh_token)
    headers = {"Authorization": f"Bearer {old.json()['access_token']}"}
    refused = await client.put(PATH, json={"muted": ALL}, headers=headers)
    assert_problem(refused, 401)
    assert refused.json()["code"] == "reauthentication-required"
    assert (await client.get(PATH, headers=headers)).json()["muted"] == ["sessions_ended_by_reuse"]
    answer = await client.put(PATH, json={"muted": []}, headers=headers)
    assert (answer.status_code, answer.json()["muted"]) == (200, [])

    await client.put(PATH, json={"muted": ALL}, headers=(await make.signed_in(other.person)).headers)
    fresh = await make.signed_in(other.person)
    assert (
        await client.delete("/users/me", headers=fresh.headers)
    ).status_code == 204  # they go with the person


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_cannot_be_turned_off_is_refused(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for body in (
        {"muted": ["password_changed"]},
        {"muted": ["verify_email"]},
        {"muted": ["no such kind"]},
        {"muted": ["new_device"] * 3},
        {"muted": None},
        {"muted": "new_device"},
        {},
        {"muted": [], "more": 1},
    ):
        assert_problem(await client.put(PATH, json=body, headers=me.headers), 422)
    assert_problem(await client.put(PATH, json={"muted": []}), 401)
    assert_problem(await client.get(PATH), 401)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_language_is_the_persons(client: AsyncClient, make: Make) -> None:
    new = {"password": "tangerine-lighthouse-42"}
    for number, (given, header, locale) in enumerate(
        (
            (None, None, None),
            (None, "fr-CH, fr;q=0.9", "fr-CH"),
            ("PT-br", "fr", "pt-BR"),
            (None, "*", None),
            (None, "' OR 1=1 --", None),
            (None, "x" * 5000, None),
        )
    ):
        body = new | {"email": f"p{number}@example.com"} | ({"locale": given} if given else {})
        headers = {"Accept-Language": header} if header else {}
        answer = await client.post("/users/", json=body, headers=headers)
        assert (answer.status_code, answer.json()["locale"]) == (200, locale)
    me = await make.signed_in()
    for wrong in ("deutsch", "", "../x", "de_DE", "x" * 100, 5, "de\n"):
        assert_problem(await client.patch("/users/me", json={"locale": wrong}, headers=me.headers), 422)
    answer = await client.patch("/users/me", json={"locale": "zh-hant"}, headers=me.headers)
    assert answer.json()["locale"] == "zh-Hant"
    assert (await client.get("/users/me", headers=me.headers)).json()["locale"] == "zh-Hant"
