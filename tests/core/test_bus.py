"""The bus: who tells a change goes on when all who listen have forgotten, or none of them can remember."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gatepost.core.bus import LEASE, Bus
from gatepost.core.logging import make_logger
from tests.own_redis import OwnRedis
from tests.running_redis import running_redis, until

ALL = "everything"
LOG = make_logger("json", "error")


class Notes:
    """Writes down what it was told to forget."""

    def __init__(self) -> None:
        self.forgot: list[str] = []

    def forget(self, topics: Collection[str]) -> None:
        self.forgot += sorted(topics)

    def forget_all(self) -> None:
        self.forgot.append(ALL)


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnRedis]:
    async with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def client(redis: OwnRedis) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis.url) as opened:
        yield opened


class Buses:
    """Opens what each process would have."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def open(self, url: str | None) -> tuple[Bus, Notes]:
        bus, notes = Bus(url, LOG), Notes()
        bus.add(notes)
        await self._stack.enter_async_context(bus.connected())
        if url is not None:
            await until(lambda: bus.listening)
        return bus, notes


@pytest.fixture
async def buses() -> AsyncIterator[Buses]:
    async with AsyncExitStack() as stack:
        yield Buses(stack)


async def seconds(telling: asyncio.Task[None]) -> float:
    began = time.monotonic()
    await telling
    return time.monotonic() - began


async def test_when_it_is_told_everybody_has_forgotten(buses: Buses, redis: OwnRedis) -> None:
    one, here = await buses.open(redis.url)
    others = [(await buses.open(redis.url))[1] for _ in range(3)]

    telling = one.tell(["a", "b"])

    assert here.forgot == ["a", "b"]
    assert await seconds(telling) < 0.9 * LEASE
    assert [notes.forgot for notes in (here, *others)] == [["a", "b"]] * 4


async def test_many_who_tell_at_once_do_not_take_each_others_answers(buses: Buses, redis: OwnRedis) -> None:
    telling = [await buses.open(redis.url) for _ in range(2)]
    _, notes = await buses.open(redis.url)

    tasks = [
        bus.tell([f"{place}-{number}"]) for number in range(10) for place, (bus, _) in enumerate(telling)
    ]
    took = max(await asyncio.gather(*(seconds(task) for task in tasks)))

    assert took < 0.9 * LEASE
    assert sorted(notes.forgot) == sorted(f"{place}-{number}" for number in range(10) for place in range(2))


async def test_who_does_not_answer_is_waited_for_until_nothing_of_theirs_is_fresh(
    buses: Buses, redis: OwnRedis, client: Redis
) -> None:
    one, _ = await buses.open(redis.url)
    async with client.pubsub() as mute:
        await mute.subscribe("gatepost:0:changes")
        assert (await mute.get_message(timeout=5)) is not None

        took = await seconds(one.tell(["a"]))

    assert LEASE * 0.99 < took < LEASE * 2


async def test_another_installation_on_the_same_redis_is_not_disturbed(buses: Buses, redis: OwnRedis) -> None:
    one, _ = await buses.open(redis.url)
    _, notes = await buses.open(redis.url.replace("/0", "/1"))

    await one.tell(["a"])

    assert notes.forgot == []


async def test_without_redis_it_forgets_here_and_waits_for_nobody(buses: Buses) -> None:
    bus, notes = await buses.open(None)

    assert await seconds(bus.tell(["a"])) < 0.9 * LEASE
    assert (notes.forgot, bus.listening) == (["a"], False)


async def test_where_nobody_listens_nobody_is_waited_for(redis: OwnRedis) -> None:
    assert await seconds(Bus(redis.url.replace("/0", "/2"), LOG).tell(["a"])) < 0.9 * LEASE


async def test_what_it_does_not_understand_makes_it_forget_everything(
    buses: Buses, redis: OwnRedis, client: Redis
) -> None:
    _, notes = await buses.open(redis.url)

    await client.publish("gatepost:0:changes", b"?")

    await until(lambda: notes.forgot == [ALL])


async def test_cut_off_it_forgets_everything_and_comes_back(
    buses: Buses, redis: OwnRedis, client: Redis
) -> None:
    one, _ = await buses.open(redis.url)
    other, notes = await buses.open(redis.url)

    await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    await until(lambda: notes.forgot == [ALL])
    await until(lambda: one.listening and other.listening)
    assert await seconds(one.tell(["a"])) < 0.9 * LEASE
    assert notes.forgot == [ALL, "a"]


async def test_a_redis_that_falls_silent_is_noticed_within_a_lease(tmp_path: Path, buses: Buses) -> None:
    async with running_redis(tmp_path) as redis:
        bus, notes = await buses.open(redis.url)

        redis.tell(signal.SIGSTOP)
        began = time.monotonic()
        await until(lambda: not bus.listening)

        # And what the test itself costs.
        assert time.monotonic() - began < LEASE * 1.5
        assert notes.forgot == [ALL]
        redis.tell(signal.SIGCONT)
        await until(lambda: bus.listening)
