"""The queue before the hashing threads. Threads are held by locks, so nothing depends on time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from gatepost.core.hashing import Hashing, HashingBusy, HashingOptions, Priority
from gatepost.core.turns import QueueFull, Turns


class Held(Hashing):
    """Hashing whose one thread computes nothing until it is let go, and notes in which order it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(HashingOptions(memory_kib=64, iterations=1, threads=1, **options))
        self.free = threading.Event()
        self.done: list[str] = []
        self.gone: asyncio.Task[str] | None = None

        self._turns = CancelsOne(self)

    def ask(self, name: str, priority: Priority = Priority.VERIFY, source: str = "") -> "asyncio.Task[str]":
        def compute() -> str:
            self.free.wait()
            self.done.append(name)
            return name

        return asyncio.ensure_future(self._run(priority, source, compute))


class CancelsOne(Turns):
    """Turns that, when one is passed on, cancel a task that may just have been given it."""

    def __init__(self, held: Held) -> None:
        super().__init__(held.options.threads, held.options.queue, held.options.deadline)
        self._held = held

    def _pass_on(self) -> None:
        super()._pass_on()
        if self._held.gone is not None:
            self._held.gone.cancel()


async def settled() -> None:
    """Let every task run until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def hashing() -> AsyncIterator[Held]:
    held = Held(queue=12, deadline=60)
    yield held
    held.free.set()
    held.close()


async def outcome(task: Awaitable[str]) -> str:
    try:
        return await task
    except HashingBusy:
        return "busy"


async def test_a_full_queue_refuses_at_once(hashing: Held) -> None:
    tasks = [hashing.ask(str(number), source=str(number)) for number in range(13)]
    await settled()
    assert hashing.queued == 12

    with pytest.raises(HashingBusy) as refused:
        await hashing.ask("one too many", source="latest")
    assert refused.value.retry_after == 1
    assert hashing.refused == 1

    hashing.free.set()
    assert await asyncio.gather(*tasks) == [str(number) for number in range(13)]


async def test_one_source_fills_a_quarter_of_the_queue_at_most(hashing: Held) -> None:
    tasks = [hashing.ask("running"), *(hashing.ask("flood", source="one") for _ in range(3))]
    await settled()

    assert await outcome(hashing.ask("flood", source="one")) == "busy"
    tasks.append(hashing.ask("other", source="another"))
    await settled()

    hashing.free.set()
    await asyncio.gather(*tasks)


async def test_sources_take_turns(hashing: Held) -> None:
    tasks = [hashing.ask("running")]
    await settled()
    tasks += [hashing.ask(f"one {number}", source="one") for number in range(3)]
    tasks += [hashing.ask(f"two {number}", source="two") for number in range(2)]
    tasks.append(hashing.ask("three", source="three"))
    await settled()

    hashing.free.set()
    await asyncio.gather(*tasks)
    assert hashing.done == ["running", "one 0", "two 0", "three", "one 1", "two 1", "one 2"]


async def test_who_could_not_be_served_in_time_is_refused_at_once() -> None:
    seconds = 0.0
    turns = Turns(places=2, longest=100, deadline=8.0, now=lambda: seconds)
    async with turns.taken(0):
        seconds = 3.0  # so long does a stay last
    end = asyncio.Event()
    stays = [asyncio.ensure_future(_stay(turns, end)) for _ in range(4)]
    await settled()

    # Two wait before the next: three stays over two places are 4.5 seconds.
    with pytest.raises(QueueFull) as full:
        await _stay(turns, end)
    assert full.value.seconds == pytest.approx(4.5)
    end.set()
    await asyncio.gather(*stays)


async def _stay(turns: Turns, end: asyncio.Event) -> None:
    async with turns.taken(0):
        await end.wait()


async def test_who_waits_to_get_in_comes_first(hashing: Held) -> None:
    running = hashing.ask("running")
    tasks = [
        hashing.ask("sets a password", Priority.CREATE),
        hashing.ask("signs in"),
        hashing.ask("signs in later"),
    ]
    await settled()

    hashing.free.set()
    await asyncio.gather(running, *tasks)

    assert hashing.done == ["running", "signs in", "signs in later", "sets a password"]


async def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    hashing = Held(queue=12, deadline=0.001)
    running = hashing.ask("running")
    await settled()

    assert await outcome(hashing.ask("late")) == "busy"
    assert hashing.queued == 0

    hashing.free.set()
    assert await running == "running"
    assert await hashing.ask("next") == "next"
    hashing.close()


async def test_who_gives_up_waiting_leaves_the_queue(hashing: Held) -> None:
    running, gone, next_one = (hashing.ask(name) for name in ("running", "gone", "next"))
    await settled()
    gone.cancel()
    await settled()
    assert hashing.queued == 1

    hashing.free.set()
    assert await asyncio.gather(running, next_one) == ["running", "next"]
    assert hashing.done == ["running", "next"]


async def test_who_gives_up_in_the_moment_of_the_turn_passes_it_on(hashing: Held) -> None:
    running, gone, next_one = (hashing.ask(name) for name in ("running", "gone", "next"))
    await settled()
    # Cancelled once the turn has been given to it, and before it can take it.
    hashing.gone = gone
    hashing.free.set()

    assert await running == "running"
    assert await next_one == "next"
    assert gone.cancelled()
    assert hashing.done == ["running", "next"]
    assert await hashing.ask("after") == "after"


async def test_whose_turn_comes_right_after_they_gave_up_is_simply_gone() -> None:
    """The queue had passed them over already when they came to leave it: that was a 500 in a flood."""
    turns = Turns(1, 5, 60)

    async def wait() -> None:
        async with turns.taken(Priority.VERIFY, "late"):
            raise AssertionError

    async with turns.taken(Priority.VERIFY, "first"):
        late = asyncio.ensure_future(wait())
        await settled()
        late.cancel()

    with pytest.raises(asyncio.CancelledError):
        await late
    assert turns.waiting == 0
    async with asyncio.timeout(5), turns.taken(Priority.VERIFY, "next"):
        pass


async def test_no_hash_is_computed_on_the_event_loop() -> None:
    hashing = Hashing(HashingOptions(memory_kib=64, iterations=1, threads=2))
    here = threading.get_ident()
    seen: set[int] = set()

    def compute() -> str:
        seen.add(threading.get_ident())
        return ""

    await asyncio.gather(*(hashing._run(Priority.VERIFY, None, compute) for _ in range(8)))

    assert here not in seen
    assert len(seen) <= 2
    hashing.close()


async def test_hashes_verify_and_say_when_they_are_outdated() -> None:
    cheap = Hashing(HashingOptions(memory_kib=64, iterations=1))
    dear = Hashing(HashingOptions(memory_kib=128, iterations=1))
    hashed = await cheap.hash("p\0ssword ☃")

    assert await dear.verify("p\0ssword ☃", hashed)
    assert not await dear.verify("p\0ssword", hashed)
    assert not await dear.verify("p\0ssword ☃", None)
    assert (cheap.outdated(hashed), dear.outdated(hashed)) == (False, True)
    assert cheap.outdated("$2b$04$abc")
    assert cheap.outdated("$argon2id$broken")
    cheap.close()
    dear.close()


async def test_after_closing_it_can_be_used_again() -> None:
    """A host's lifespan may run more than once in one process."""
    hashing = Hashing(HashingOptions(memory_kib=64, iterations=1))
    hashed = await hashing.hash("once")
    hashing.close()

    assert await hashing.verify("once", hashed)
    hashing.close()
