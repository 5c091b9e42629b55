"""One challenge, answered twenty times at once by two processes: one passkey, one sign-in."""

import asyncio
import secrets
from collections import Counter
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.passkeys import PasskeyInvalid
from tests.authenticator import Authenticator
from tests.ledger import opened
from tests.make import PASSWORD, Make
from tests.passkeys.desk import ORIGIN, OWN, Desk
from tests.races.conftest import ISSUER, Pair

RACERS = 20


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_e10_of_twenty_registrations_with_one_challenge_one_is_made(pair: Pair) -> None:
    async with (
        httpx2.AsyncClient(base_url=pair.one.url, timeout=60) as one,
        httpx2.AsyncClient(base_url=pair.other.url, timeout=60) as other,
    ):
        person = {"email": "rival-of-passkeys@example.com", "password": PASSWORD}
        await one.post("/users/", json=person)
        tokens = await one.post("/users/token", data={"username": person["email"], "password": PASSWORD})
        headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
        options = (await other.post(f"{OWN}/options", headers=headers)).json()
        bodies = [
            {
                "name": f"racer {n}",
                "credential": Authenticator().create(options, ISSUER["GATEPOST_PUBLIC_URL"]),
            }
            for n in range(RACERS)
        ]

        answers = await asyncio.gather(
            *((one, other)[n % 2].post(OWN, json=body, headers=headers) for n, body in enumerate(bodies))
        )

        counted = Counter(answer.status_code for answer in answers)
        # Whoever comes when it is made has another factor to show first.
        assert counted[201] == 1
        assert counted[400] + counted[401] == RACERS - 1
        assert {answer.json().get("reason") for answer in answers} <= {None, "challenge_used"}
        assert len((await one.get(OWN, headers=headers)).json()["items"]) == 1
    async with opened(pair.database_url) as database:
        rows = await database.reads.rows(text("SELECT data FROM events WHERE type = 'passkey.refused'"))
        handles = await database.reads.rows(text("SELECT user_id FROM passkey_handles"))
    assert (len(rows), len(handles)) == (counted[400], 1)


async def test_e10_of_twenty_who_show_one_answer_one_gets_in(
    gatepost: Gatepost, settings: Settings, clock: MovableClock, client: Any, make: Make
) -> None:
    me, key = await make.strongly_signed_in(), Authenticator()
    desk = Desk(gatepost, client)
    await desk.add(me, key)
    binding = secrets.token_bytes(32)
    shown = key.get(await desk.ask(binding), ORIGIN)
    async with Gatepost(settings, clock=clock).lifespan():
        another = Gatepost(settings, clock=clock)
        desks = [desk, Desk(another, client)]
        # All have looked before any acts.
        checked = [await desks[n % 2].check(binding, shown) for n in range(RACERS)]
        outcomes = await asyncio.gather(
            *(desks[n % 2].use(each) for n, each in enumerate(checked)), return_exceptions=True
        )
        await another.database.close()

    assert sum(isinstance(each, PasskeyInvalid) for each in outcomes) == RACERS - 1
    assert {event["reason"] for event in await desk.events()} == {"challenge_used"}
    (item,) = await desk.items(me)
    assert item["last_used_at"] is not None


async def test_e10_what_is_removed_or_overtaken_between_look_and_use_lets_nobody_in(
    gatepost: Gatepost, client: Any, make: Make
) -> None:
    me, key, other = await make.strongly_signed_in(), Authenticator(), Authenticator()
    desk = Desk(gatepost, client)
    added = await desk.add(me, key)
    await desk.add(me, other)
    slow, quick = secrets.token_bytes(32), secrets.token_bytes(32)
    before = await desk.check(slow, key.get(await desk.ask(slow), ORIGIN))
    await desk.use(await desk.check(quick, key.get(await desk.ask(quick), ORIGIN)))
    # A later count has been seen: this one may come from a copy.
    with pytest.raises(PasskeyInvalid):
        await desk.use(before)

    checked = await desk.check(quick, key.get(await desk.ask(quick), ORIGIN))
    assert (await client.delete(f"{OWN}/{added['id']}", headers=me.headers)).status_code == 204
    with pytest.raises(PasskeyInvalid):
        await desk.use(checked)
    checked = await desk.check(quick, other.get(await desk.ask(quick), ORIGIN))
    assert (await client.delete("/users/me", headers=me.headers)).status_code == 204
    with pytest.raises(PasskeyInvalid):
        await desk.use(checked)
    assert [event["reason"] for event in await desk.events()] == ["removed"] * 3
