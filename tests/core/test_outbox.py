"""Deliveries: each at least once, by any number of workers, whatever fails."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from gatepost import Consumer, Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import Delivery, EventLog
from gatepost.core.ids import new_id
from gatepost.core.outbox import DONE, DUE, FAILED, LanePolicy, delay_after, runner
from gatepost.core.outbox.lanes import MOST_ATTEMPTS
from gatepost.core.outbox.settling import Outcome
from gatepost.core.secrets import KeyRing
from tests.conftest import SECRET
from tests.core.listeners import LEASE, Log, Start, Thing, Unheard, deliveries, happen, outbox


async def test_an_event_reaches_its_consumer_as_it_was_recorded(start: Start, seen: Log) -> None:
    gatepost = await start()
    subject, other = new_id(), new_id()
    async with gatepost.work() as work:
        work.events.record(Thing(subject=subject, number=7, other=other))
        work.events.record(Unheard(subject=None))

    assert await gatepost.worker.drain() == 1

    (event,) = seen.got
    assert (event.type, event.subject, event.actor) == ("thing.happened", subject, None)
    assert event.data == {"number": 7, "other": str(other)}
    assert event.at == gatepost.clock.now()
    assert await deliveries(gatepost) == [(DONE, 1, None)]


async def test_what_only_the_consumer_may_know_is_sealed_until_it_has_it(start: Start, seen: Log) -> None:
    gatepost = await start()
    ends = gatepost.clock.now() + timedelta(minutes=15)
    private = {"to": "ada@example.com", "code": "271828"}
    async with gatepost.work() as work:
        work.events.record(Thing(subject=None, number=1), private=private, expires_at=ends)
    (row,) = await gatepost.database.reads.rows(select(Delivery.id, Delivery.private, Delivery.source))
    assert b"271828" not in row.private
    assert b"ada" not in row.private + row.source

    assert await gatepost.worker.drain() == 1

    (event,) = seen.got
    assert (event.private, event.expires_at, event.delivery) == (private, ends, row.id)
    assert "271828" not in repr(event)


async def test_many_workers_take_each_delivery_once(start: Start, seen: Log) -> None:
    services = [await start() for _ in range(4)]
    await happen(services[0], *range(100))

    ran = await asyncio.gather(*(service.worker.drain() for service in services))

    assert sum(ran) == 100
    assert Counter(seen.numbers) == Counter(range(100))


async def test_what_is_rolled_back_never_happened(start: Start, seen: Log) -> None:
    gatepost = await start()

    async def fail() -> None:
        async with gatepost.work() as work:
            work.events.record(Thing(subject=None, number=1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await gatepost.worker.drain() == 0
    assert seen.got == []


async def test_a_poisoned_delivery_stops_none_behind_it(start: Start, seen: Log) -> None:
    gatepost = await start()
    seen.poison = {0, 3}
    await happen(gatepost, *range(6))

    assert await gatepost.worker.drain() == 6

    assert seen.numbers == [1, 2, 4, 5]
    # The kind of error is kept, its words are not: they may hold what the consumer was sending.
    failed = [delivery for delivery in await deliveries(gatepost) if delivery[0] == DUE]
    assert failed == [(DUE, 1, "RuntimeError")] * 2


async def test_what_failed_comes_again_later_each_time_and_is_given_up_at_last(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    gatepost = await start()
    seen.poison = {0}
    await happen(gatepost, 0)

    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert await gatepost.worker.drain() == 1
        assert await gatepost.worker.drain() == 0
        ((state, attempts, _),) = await deliveries(gatepost)
        assert (state, attempts) == (FAILED if attempt == MOST_ATTEMPTS else DUE, attempt)
        clock.move(timedelta(hours=1))

    assert await gatepost.worker.drain() == 0
    assert await outbox(gatepost).next_due("default") is None


async def test_what_failed_once_succeeds_when_the_fault_is_gone(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    gatepost = await start()
    seen.poison = {0}
    await happen(gatepost, 0)
    await gatepost.worker.drain()
    due = await outbox(gatepost).next_due("default")
    assert due is not None
    assert timedelta(seconds=1) <= due - clock.now() <= timedelta(seconds=2)

    seen.poison = set()
    clock.move(due - clock.now())

    assert await gatepost.worker.drain() == 1
    assert await deliveries(gatepost) == [(DONE, 2, None)]


@pytest.mark.parametrize(
    ("attempts", "longest"), [(1, 2), (2, 4), (5, 32), (11, 2048), (12, 3600), (40, 3600)]
)
def test_the_pauses_double_up_to_an_hour(attempts: int, longest: float) -> None:
    pauses = [delay_after(attempts) for _ in range(200)]

    assert longest / 2 <= min(pauses)
    assert max(pauses) <= longest
    assert len(set(pauses)) > 100


async def test_a_worker_that_died_is_followed_by_another_once_its_lease_is_over(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    dead, alive = await start(), await start()
    await happen(dead, 1, 2)
    assert len(await outbox(dead).claim(10)) == 2

    clock.move(LEASE - timedelta(seconds=1))
    assert await alive.worker.drain() == 0
    clock.move(timedelta(seconds=1))
    assert await alive.worker.drain() == 2

    assert sorted(seen.numbers) == [1, 2]


async def test_a_worker_that_comes_back_too_late_does_not_settle_for_another(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    slow, quick = await start(), await start()
    seen.poison = {1}
    await happen(slow, 1)
    (claim,) = await outbox(slow).claim(1)
    clock.move(LEASE)
    await quick.worker.drain()
    before = await deliveries(slow)

    late = outbox(slow).settling
    late.add(Outcome(claim, DONE))
    await late.written()

    assert await deliveries(slow) == before == [(DUE, 2, "RuntimeError")]


async def test_none_begins_that_could_outlast_its_lease(start: Start, seen: Log, clock: MovableClock) -> None:
    slow, quick = await start(), await start()
    await happen(slow, 1, 2, 3, 4)
    seen.meanwhile = lambda: clock.move(LEASE / 2)
    lane = outbox(slow).lanes["default"]

    claimed = await lane.claim()
    lane.start()
    for _ in range(2):
        await lane.one_ended()
        lane.start()
    await lane.written()
    seen.meanwhile = lambda: None

    assert (claimed, len(seen.got)) == (4, 2)
    # The others are anybody's at once, and what did not run was no attempt.
    await lane.stop()
    assert await quick.worker.drain() == 2
    assert sorted(seen.numbers) == [1, 2, 3, 4]
    assert await deliveries(slow) == [(DONE, 1, None)] * 4


async def test_a_consumer_that_never_returns_stops_none_behind_it(start: Start, seen: Log) -> None:
    gatepost = await start()
    seen.stuck = {0}
    await happen(gatepost, 0, 1, 2)

    async with asyncio.timeout(30):
        assert (
            await outbox(gatepost, LanePolicy(name="default", longest_run=0.05)).lanes["default"].drain() == 3
        )

    assert sorted(seen.numbers) == [1, 2]
    assert (await deliveries(gatepost))[0] == (DUE, 1, "TimeoutError")


async def test_what_kills_the_process_is_given_up_after_the_last_attempt(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    gatepost = await start()
    await happen(gatepost, 1)
    for _ in range(MOST_ATTEMPTS):
        assert len(await outbox(gatepost).claim(1)) == 1
        clock.move(LEASE)

    assert await gatepost.worker.drain() == 1

    assert seen.got == []
    assert await deliveries(gatepost) == [(FAILED, MOST_ATTEMPTS + 1, "Crashed")]


async def test_what_was_tried_before_waits_for_what_was_not(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    gatepost = await start()
    await happen(gatepost, 1)
    await outbox(gatepost).claim(1)
    clock.move(LEASE)
    await happen(gatepost, 2, 3)

    await gatepost.worker.drain()

    assert seen.numbers[-1] == 1


async def test_a_worker_that_is_ended_leaves_its_deliveries_as_they_were(
    start: Start, seen: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_LAST_RUN", 0.01)
    gatepost, other = await start(), await start()
    begun = asyncio.Event()
    seen.meanwhile, seen.stuck = begun.set, {0, 1}
    await happen(gatepost, 0, 1)
    running = asyncio.create_task(gatepost.worker.run())
    await begun.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await deliveries(gatepost) == [(DUE, 0, None)] * 2
    seen.stuck = set()
    assert await other.worker.drain() == 2


async def test_a_consumer_whose_own_task_was_cancelled_has_failed(start: Start, seen: Log) -> None:
    gatepost = await start()

    def cancelled() -> None:
        raise asyncio.CancelledError

    seen.meanwhile = cancelled
    await happen(gatepost, 1)

    assert await gatepost.worker.drain() == 1

    assert await deliveries(gatepost) == [(DUE, 1, "CancelledError")]


async def test_deliveries_of_a_consumer_that_is_not_here_wait_for_it(
    start: Start, seen: Log, settings: Settings, clock: MovableClock
) -> None:
    gatepost = await start()
    await happen(gatepost, 1)
    without = Gatepost(settings, clock=clock)

    async with without.lifespan():
        assert await without.worker.drain() == 0
    assert await gatepost.worker.drain() == 1


async def test_no_consumer_and_no_event_cost_no_statement(gatepost: Gatepost) -> None:
    await happen(gatepost, 1)

    assert await deliveries(gatepost) == []
    assert await gatepost.worker.drain() == 0


def test_there_is_no_lane_of_another_name(seen: Log) -> None:
    with pytest.raises(ValueError, match="no lane"):
        Consumer("log", [Thing], seen.run, "fast")  # ty: ignore[invalid-argument-type]


def test_two_consumers_of_one_name_are_refused(seen: Log) -> None:
    with pytest.raises(ValueError, match="same name"):
        EventLog([Consumer("log", [Thing], seen.run), Consumer("log", [], seen.run)], KeyRing([SECRET]))
