"""One Idempotency-Key, many requests in the same moment, processes that die: one effect (faults F02, F03)."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select, text

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.core.database import Database
from gatepost.core.idempotency import LEASE, IdempotencyKey
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD
from tests.processes import serving
from tests.races.conftest import Pair, empty_database
from tests.races.connections import Request, at_once, hold

KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
DEADLINE = 30
IN_FLIGHT = (409, "idempotency-key-in-flight")
REUSED = (422, "idempotency-key-reused")


@dataclass(frozen=True)
class Keyed(Request):
    """A request with an Idempotency-Key."""

    key: str = ""

    def __bytes__(self) -> bytes:
        line = f"Idempotency-Key: {self.key}\r\n".encode()
        return super().__bytes__().replace(b"Content-Type:", line + b"Content-Type:", 1)


def content(email: str) -> bytes:
    return json.dumps({"email": email, "password": PASSWORD}).encode()


def sign_up(url: str, key: str, email: str) -> Keyed:
    return Keyed(url, "POST", "/users/", content(email), key=key)


@pytest.fixture(scope="module")
async def beside(pair: Pair) -> AsyncIterator[Database]:
    """The database of the pair, open as long as they run."""
    database = Database(pair.database_url)
    yield database
    await database.close()


async def people(database: Database, email: str) -> int:
    found = text("SELECT id FROM users WHERE email_canonical = :email").bindparams(email=email)
    return len(await database.reads.rows(found))


@pytest.mark.parametrize("round_", range(3))
async def test_f03_50_requests_with_one_key_over_two_processes_have_one_effect(
    pair: Pair, beside: Database, round_: int
) -> None:
    key, email = f"race-{round_}", f"once{round_}@example.com"

    servers = itertools.islice(itertools.cycle(pair.both), 50)
    answers = await at_once([sign_up(server.url, key, email) for server in servers])

    assert {(each.status, each.body.get("code")) for each in answers} <= {(200, None), IN_FLIGHT}
    given = [each.body for each in answers if each.status == 200]
    assert given
    assert given.count(given[0]) == len(given)
    assert await people(beside, email) == 1
    later = await at_once([sign_up(server.url, key, email) for server in pair.both])
    assert [(each.status, each.body) for each in later] == [(200, given[0])] * 2


async def test_f03_of_two_bodies_that_race_for_one_key_one_has_its_effect(
    pair: Pair, beside: Database
) -> None:
    emails = [f"two-bodies{number}@example.com" for number in range(2)]

    racers = zip(range(20), itertools.cycle(pair.both), itertools.cycle(emails * 2), strict=False)
    answers = await at_once([sign_up(server.url, "two-bodies", email) for _, server, email in racers])

    seen = Counter((each.status, each.body.get("code")) for each in answers)
    assert seen.keys() <= {(200, None), IN_FLIGHT, REUSED}, seen
    assert len({each.body["email"] for each in answers if each.status == 200}) == 1
    assert sum([await people(beside, email) for email in emails]) == 1


async def test_f03_an_answer_that_never_arrived_is_given_again(pair: Pair, beside: Database) -> None:
    held = await hold(sign_up(pair.one.url, "lost", "lost@example.com"))
    held.let_go()
    # Gone before the answer: whether the effect came about is more than the client can know.
    held._writer.transport.abort()

    async with asyncio.timeout(DEADLINE):
        while True:
            (answer,) = await at_once([sign_up(pair.other.url, "lost", "lost@example.com")])
            if (answer.status, answer.body.get("code")) != IN_FLIGHT:
                break

    assert answer.status == 200, answer.body
    assert await people(beside, "lost@example.com") == 1


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110  the database tells nobody
            await asyncio.sleep(0.005)


@KINDS
async def test_f02_killed_between_claim_and_effect_the_key_is_free_after_its_lease(
    kind: str, tmp_path: Path
) -> None:
    clock = MovableClock()
    with empty_database(kind, tmp_path) as url:
        gatepost = Gatepost(make_settings(url, tmp_path), clock=clock)

        async def claimed() -> object:
            return await gatepost.database.reads.first(select(IdempotencyKey.digest))

        # A hash so dear that the kill comes before its end.
        dear = {"GATEPOST_HASHING__MEMORY_KIB": "65536", "GATEPOST_HASHING__ITERATIONS": "10"}
        with serving(tmp_path, {"GATEPOST_DATABASE_URL": url, **dear}) as server:
            held = await hold(sign_up(server.url, "killed", "killed@example.com"))
            held.let_go()
            await until(claimed)
            await asyncio.to_thread(server.kill)
            held._writer.transport.abort()
        assert await people(gatepost.database, "killed@example.com") == 0

        async with gatepost.lifespan(), open_client(gatepost) as client:

            async def retry() -> httpx2.Response:
                headers = {"Idempotency-Key": "killed", "Content-Type": "application/json"}
                return await client.post("/users/", content=content("killed@example.com"), headers=headers)

            early = await retry()
            clock.move(LEASE + timedelta(seconds=DEADLINE))
            answers = [await retry(), await retry()]
            created = await people(gatepost.database, "killed@example.com")

        assert (early.status_code, early.json()["code"]) == IN_FLIGHT
        assert [each.status_code for each in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert created == 1
