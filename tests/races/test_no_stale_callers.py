"""What was changed through one process is what the next request to another sees, whatever becomes of Redis."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost import Gatepost
from gatepost.accounts import Setup
from gatepost.core.bus import LEASE
from gatepost.login import Login
from tests.conftest import make_settings, open_client
from tests.make import Make
from tests.own_redis import OwnRedis
from tests.processes import serving
from tests.races.changes import Changes, Visitor
from tests.races.conftest import ISSUER
from tests.running_redis import running_redis, until
from tests.services import REDIS_URL, missing_reason

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    async with running_redis(tmp_path) as running:
        yield running


@dataclass
class Two:
    """Two services on one database and one Redis."""

    one: Gatepost
    other: Gatepost
    changes: Changes

    async def listening(self) -> None:
        await until(lambda: self.one.bus.listening and self.other.bus.listening)

    async def remembered(self) -> Visitor:
        """Return somebody whom the other service answers without a read."""
        visitor = await self.changes.visitor()
        await self.changes.remembered(visitor.headers)
        return visitor

    async def gone_at_once(self, visitor: Visitor) -> float:
        """End the session through the one and look through the other; return how long the one took, in seconds."""
        began = time.monotonic()
        await self.changes.sign_out(visitor)
        took = time.monotonic() - began
        assert await self.changes.status(visitor.headers) == 401
        return took


Start = Callable[[str], Any]


@pytest.fixture
async def start(database_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def two(redis_url: str) -> Two:
            settings = make_settings(database_url, tmp_path, redis_url=redis_url, log_level="error")
            services = Gatepost(settings), Gatepost(settings)
            for service in services:
                await stack.enter_async_context(service.lifespan())
            clients = [await stack.enter_async_context(open_client(service)) for service in services]
            make = Make(services[0], clients[0])
            admin = await make.signed_in(await make.administrator())
            started = Two(*services, Changes(clients[0], clients[1], services[0], admin.headers))
            await started.listening()
            return started

        yield two


async def test_200_changes_with_an_immediate_check_through_another_service(start: Start) -> None:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    two = await start(os.environ[REDIS_URL])

    await two.changes.each(29)

    assert two.changes.made >= 200
    # Else the checks would have found nothing old to serve.
    assert two.other.callers.hits > 150


async def test_the_service_that_served_the_change_serves_nothing_old(start: Start, redis: OwnRedis) -> None:
    two = await start(redis.url)
    two.changes.there = two.changes.here

    await two.changes.each(2)

    assert two.one.callers.hits > 10


async def test_when_the_hosts_commit_returns_everybody_has_forgotten(start: Start, redis: OwnRedis) -> None:
    two = await start(redis.url)
    visitor = await two.remembered()
    token = visitor.headers["Authorization"].removeprefix("Bearer ")
    claims = await two.one.access_tokens.verify(token)

    async with AsyncSession(two.one.database.engine) as session:
        async with two.one.work(session) as work:
            await two.one.build(Login, work).sign_out(claims.session_id)
        await two.changes.remembered(visitor.headers)
        await session.commit()

    assert await two.changes.status(visitor.headers) == 401


async def test_a_frozen_redis_delays_the_change_for_a_lease_and_nobody_is_let_in(
    start: Start, redis: OwnRedis
) -> None:
    two = await start(redis.url)
    visitor, later = await two.remembered(), await two.remembered()

    redis.tell(signal.SIGSTOP)

    assert LEASE * 0.99 < await two.gone_at_once(visitor) < LEASE * 3
    await until(lambda: not two.other.bus.listening)
    assert LEASE * 0.99 < await two.gone_at_once(later) < LEASE * 3
    assert await _still_answers(two)

    redis.tell(signal.SIGCONT)
    await two.listening()
    assert await two.gone_at_once(await two.remembered()) < LEASE * 0.9


async def test_a_killed_redis_delays_the_change_for_a_lease_and_nobody_is_let_in(
    start: Start, redis: OwnRedis
) -> None:
    two = await start(redis.url)
    visitor = await two.remembered()

    redis.kill()

    assert LEASE * 0.99 < await two.gone_at_once(visitor) < LEASE * 3
    assert await _still_answers(two)
    hits = two.other.callers.hits
    await two.remembered()
    assert two.other.callers.hits == hits

    await redis.start()
    await two.listening()
    assert await two.gone_at_once(await two.remembered()) < LEASE * 0.9
    assert two.other.callers.hits > hits


async def test_f09_a_flushed_redis_changes_nothing(start: Start, redis: OwnRedis) -> None:
    two = await start(redis.url)
    visitor = await two.remembered()

    async with Redis.from_url(redis.url) as client:
        await client.flushall()

    assert await two.gone_at_once(visitor) < LEASE * 0.9


async def test_a_service_whose_subscription_was_cut_serves_nothing_old_for_longer_than_a_lease(
    start: Start, redis: OwnRedis
) -> None:
    two = await start(redis.url)
    visitor = await two.remembered()

    async with Redis.from_url(redis.url) as client:
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await two.changes.sign_out(visitor)
    acknowledged = time.monotonic()
    stale = 0.0
    while await two.changes.status(visitor.headers) == 200:
        stale = time.monotonic() - acknowledged

    assert stale < LEASE
    await two.listening()
    assert await two.gone_at_once(await two.remembered()) < LEASE * 0.9


async def test_a_command_beside_the_services_is_heard_too(start: Start, redis: OwnRedis) -> None:
    """It listens to nobody, so it waits until nobody can remember."""
    two = await start(redis.url)
    visitor = await two.remembered()
    two.changes.commands = Gatepost(two.one.settings)

    await two.changes.role(visitor.id, Setup.promote)

    assert await two.changes.status(visitor.headers, "/users/") == 200
    await two.changes.commands.database.close()


async def _still_answers(two: Two) -> bool:
    visitor = await two.changes.visitor()
    return await two.changes.status(visitor.headers) == 200


async def _listeners(redis: OwnRedis, number: int) -> None:
    async with Redis.from_url(redis.url) as client, asyncio.timeout(10):
        while (await client.pubsub_numsub("gatepost:0:changes"))[0][1] != number:
            pass  # each question lets the services go on


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_1000_changes_with_an_immediate_check_through_another_process(
    database_url: str, redis: OwnRedis, tmp_path: Path
) -> None:
    shared = {**ISSUER, "GATEPOST_DATABASE_URL": database_url, "GATEPOST_REDIS_URL": redis.url}
    shared["GATEPOST_RATE_LIMITS"] = "off"
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    public_url = ISSUER["GATEPOST_PUBLIC_URL"]
    own = make_settings(database_url, tmp_path, redis_url=redis.url, public_url=public_url)
    commands = Gatepost(own)
    with serving(here, shared) as one, serving(there, shared) as other:
        async with (
            commands.lifespan(),
            open_client(commands) as client,
            AsyncClient(base_url=one.url) as changing,
            AsyncClient(base_url=other.url) as looking,
        ):
            make = Make(commands, client)
            admin = await make.signed_in(await make.administrator())
            await _listeners(redis, 3)
            changes = Changes(changing, looking, commands, admin.headers)
            await changes.each(143)
    assert changes.made >= 1000
