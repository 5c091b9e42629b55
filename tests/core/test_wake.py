"""Workers of other processes: woken through Redis, found by polling without it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gatepost import Consumer, Gatepost, RecordedEvent, Settings, UserRegistered
from gatepost import worker as worker_module
from gatepost.core.wake import Wake
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD
from tests.services import REDIS_URL, missing_reason

LONG = 3600.0


@pytest.fixture
def redis_url() -> str:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    return os.environ[REDIS_URL]


@pytest.fixture
async def got() -> asyncio.Queue[RecordedEvent]:
    return asyncio.Queue()


class Processes:
    """Two services on one database: one answers, the other delivers."""

    def __init__(self, settings: Settings, got: asyncio.Queue[RecordedEvent]) -> None:
        self._settings = settings
        self._got = got
        self._stack = AsyncExitStack()

    async def start(self, redis_url: str, *, run_worker: bool) -> Gatepost:
        settings = make_settings(
            self._settings.database_location,
            self._settings.data_dir,
            redis_url=redis_url,
            run_worker=run_worker,
            log_level="error",
        )
        service = Gatepost(settings, consumers=[Consumer("log", [UserRegistered], self._got.put)])
        await self._stack.enter_async_context(service.lifespan())
        return service

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def processes(settings: Settings, got: asyncio.Queue[RecordedEvent]) -> AsyncIterator[Processes]:
    both = Processes(settings, got)
    yield both
    await both.close()


async def sign_up(service: Gatepost, email: str) -> None:
    async with open_client(service) as client:
        assert (await client.post("/users/", json={"email": email, "password": PASSWORD})).status_code == 200


async def test_a_commit_wakes_the_worker_of_another_process(
    processes: Processes,
    got: asyncio.Queue[RecordedEvent],
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The worker would sleep for an hour; only the message through Redis can be what wakes it."""
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", LONG)
    await processes.start(redis_url, run_worker=True)
    answering = await processes.start(redis_url, run_worker=False)
    await _heard_by_all(answering, redis_url)

    await sign_up(answering, "ada@example.com")

    assert (await got.get()).type == "user.registered"


async def _heard_by_all(service: Gatepost, redis_url: str) -> None:
    """Wait until both services listen."""
    from redis.asyncio import Redis

    async with Redis.from_url(redis_url) as redis:
        while (await redis.pubsub_numsub("gatepost:outbox"))[0][1] < 2:
            pass  # each question lets the services go on


async def test_without_redis_polling_still_delivers(
    processes: Processes, got: asyncio.Queue[RecordedEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", 0.01)
    with socket.socket() as taken:
        # A port that refuses: bound, and nobody listens.
        taken.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        await processes.start(nowhere, run_worker=True)
        answering = await processes.start(nowhere, run_worker=False)

        await sign_up(answering, "ada@example.com")

        assert (await got.get()).type == "user.registered"


async def test_a_process_wakes_its_own_worker_without_redis(gatepost: Gatepost) -> None:
    wake = Wake(None, gatepost.log)
    bell, other = wake.bell("mail"), wake.bell("default")
    async with wake.connected():
        waiting = asyncio.create_task(bell.wait(LONG))
        await asyncio.sleep(0)
        wake.now()
        await waiting

        # The wake-up is used up: the next wait lasts its time.
        await bell.wait(0.001)
        wake.now()
        wake.now()
        await bell.wait(LONG)
        # Nobody has taken the call of one that was busy meanwhile.
        await other.wait(LONG)

        # What one has got is nothing to the others.
        wake.now(["mail"])
        await bell.wait(LONG)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await other.wait(LONG)
