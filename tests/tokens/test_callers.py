"""What is remembered behind a token: read once, forgotten when told, never good for longer than a lease."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import Executable, Row

from gatepost import Gatepost, Settings
from gatepost.core.bus import LEASE, Bus
from gatepost.core.database import DatabaseUnavailable, Reader
from gatepost.login import Login
from gatepost.sessions import SessionOptions
from gatepost.tokens import Callers, Leased, callers, queries
from tests.conftest import open_client
from tests.make import Make, SignedIn
from tests.running_redis import until
from tests.services import REDIS_URL, missing_reason

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_change_by_another_process_is_seen_by_the_very_next_request(
    settings: Settings, make: Make, client: AsyncClient
) -> None:
    me = await make.signed_in()
    other = Gatepost(settings)
    async with other.lifespan(), open_client(other) as elsewhere:
        for number in range(20):
            assert (await elsewhere.get("/users/me", headers=me.headers)).status_code == 200
            await client.patch("/users/me", json={"name": f"Name {number}"}, headers=me.headers)
            read = await elsewhere.get("/users/me", headers=me.headers)
            assert read.json()["name"] == f"Name {number}"


@SQLITE
async def test_without_a_commit_in_between_nothing_is_read_twice(
    gatepost: Gatepost, make: Make, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await make.signed_in()
    reads = gatepost.database.reads
    asked: list[object] = []
    read_rows = reads.rows

    async def counted(statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        asked.append(statement)
        return await read_rows(statement, parameters)

    monkeypatch.setattr(reads, "rows", counted)
    for _ in range(3):
        await client.get("/users/me", headers=me.headers)
    assert asked == [queries.CALLER]
    assert (gatepost.callers.hits, gatepost.callers.misses) == (2, 1)


@SQLITE
async def test_a_remembered_session_ends_with_its_time(gatepost: Gatepost, make: Make) -> None:
    claims = await gatepost.access_tokens.verify((await make.signed_in()).access_token)
    now = gatepost.clock.now()

    assert await gatepost.callers.behind(claims.session_id, claims.subject, now) is not None
    ended = now + gatepost.settings.sessions.lifetime
    assert await gatepost.callers.behind(claims.session_id, claims.subject, ended) is None


@SQLITE
async def test_only_so_many_are_remembered(
    gatepost: Gatepost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "REMEMBERED", 3)
    people = [await Asked.of(gatepost, await make.signed_in()) for _ in range(4)]

    async def misses(*asked: Asked) -> int:
        before = gatepost.callers.misses
        for each in asked:
            await each.by(gatepost.callers)
        return gatepost.callers.misses - before

    assert await misses(*people[:3]) == 3
    assert await misses(people[0], people[3]) == 1
    # The one that was not asked for the longest made room.
    assert await misses(people[0], people[2], people[3]) == 0
    assert await misses(people[1]) == 1


# ── on PostgreSQL: told through Redis ────────────────────────────────────────────────────────────


@dataclass
class Asked:
    """Whom to ask for."""

    session_id: UUID
    user_id: UUID
    now: datetime

    @classmethod
    async def of(cls, gatepost: Gatepost, me: SignedIn) -> "Asked":
        claims = await gatepost.access_tokens.verify(me.access_token)
        return cls(claims.session_id, claims.subject, gatepost.clock.now())

    async def by(self, callers: Callers) -> bool:
        """Tell whether the token still speaks for somebody."""
        return await callers.behind(self.session_id, self.user_id, self.now) is not None


@dataclass
class SlowReader:
    """Reads for real, but keeps each answer back until it may go, and counts."""

    reads: Reader
    count: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    read: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    async def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        self.count += 1
        rows = await self.reads.rows(statement, parameters)
        self.read.set()
        await self.may_answer.wait()
        if self.fails:
            raise DatabaseUnavailable
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reads, name)


@dataclass
class Told:
    """What another process has: callers of its own, told through a bus, with a clock that stands still."""

    callers: Callers
    reader: SlowReader
    seconds: float = 0.0


@pytest.fixture
async def told(gatepost: Gatepost) -> AsyncIterator[Told]:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    bus = Bus(os.environ[REDIS_URL], gatepost.log)
    reader: Any = SlowReader(gatepost.database.reads)
    told = Told(Callers(reader, Leased(bus, lambda: told.seconds), SessionOptions()), reader)
    bus.add(told.callers)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.connected())
        await until(lambda: bus.listening)
        yield told


@pytest.fixture
async def asked(gatepost: Gatepost, make: Make) -> Asked:
    return await Asked.of(gatepost, await make.signed_in())


POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def sign_out(gatepost: Gatepost, asked: Asked) -> None:
    """End the session in a process that has no Redis, so that nobody is told."""
    async with gatepost.work() as work:
        await gatepost.build(Login, work).sign_out(asked.session_id)


@POSTGRESQL
async def test_a_lost_message_leaves_the_old_answer_for_less_than_a_lease(
    gatepost: Gatepost, told: Told, asked: Asked
) -> None:
    told.reader.may_answer.set()
    assert await asked.by(told.callers)
    await sign_out(gatepost, asked)

    told.seconds = LEASE * 0.89
    assert await asked.by(told.callers)
    told.seconds = LEASE * 0.9
    assert not await asked.by(told.callers)


@POSTGRESQL
async def test_the_lease_begins_before_the_read(gatepost: Gatepost, told: Told, asked: Asked) -> None:
    reading = asyncio.create_task(asked.by(told.callers))
    await told.reader.read.wait()
    await sign_out(gatepost, asked)
    told.seconds = LEASE * 0.95
    told.reader.may_answer.set()

    assert await reading
    assert not await asked.by(told.callers)


@POSTGRESQL
async def test_a_read_that_a_change_overtook_answers_only_those_who_waited(
    gatepost: Gatepost, told: Told, asked: Asked
) -> None:
    before = asyncio.create_task(asked.by(told.callers))
    await told.reader.read.wait()
    await sign_out(gatepost, asked)
    told.callers.forget([str(asked.user_id)])
    after = asyncio.create_task(asked.by(told.callers))
    await until(lambda: told.reader.count == 2)
    told.reader.may_answer.set()

    assert (await before, await after) == (True, False)
    assert not await asked.by(told.callers)
    assert told.reader.count == 2


@POSTGRESQL
async def test_f28_a_herd_makes_one_read(told: Told, asked: Asked) -> None:
    herd = [asyncio.create_task(asked.by(told.callers)) for _ in range(100)]
    await told.reader.read.wait()
    # The one that began the read goes away; the others do not pay for it.
    herd[0].cancel()
    told.reader.may_answer.set()

    found = await asyncio.gather(*herd, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [True] * 99
    assert told.reader.count == 1
    assert (told.callers.misses, told.callers.hits) == (1, 99)


@POSTGRESQL
async def test_f29_an_error_reaches_all_who_wait_and_is_not_remembered(told: Told, asked: Asked) -> None:
    told.reader.fails = True
    herd = [asyncio.create_task(asked.by(told.callers)) for _ in range(10)]
    await told.reader.read.wait()
    told.reader.may_answer.set()
    found = await asyncio.gather(*herd, return_exceptions=True)
    assert {type(each) for each in found} == {DatabaseUnavailable}

    told.reader.fails = False
    assert await asked.by(told.callers)
    assert told.reader.count == 2


@POSTGRESQL
async def test_without_redis_each_call_reads(gatepost: Gatepost, asked: Asked) -> None:
    assert await asked.by(gatepost.callers)
    assert await asked.by(gatepost.callers)
    assert (gatepost.callers.hits, gatepost.callers.misses) == (0, 2)
