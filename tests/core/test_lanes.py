"""Turns, ends, and what is given up."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from gatepost import Consumer, Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import Delivery, EventLog
from gatepost.core.outbox import DONE, EXPIRED, FAILED, Letters, Outbox
from gatepost.core.secrets import KeyRing
from tests.conftest import SECRET
from tests.core.listeners import Log, Start, Thing, deliveries


async def note(gatepost: Gatepost, to: str, *numbers: int, **how: Any) -> None:
    async with gatepost.work() as work:
        for number in numbers:
            work.events.record(Thing(subject=None, number=number), private={"to": to, "code": "1"}, **how)


async def test_everybodys_first_comes_before_anybodys_second(start: Start, seen: Log) -> None:
    gatepost = await start()
    await note(gatepost, "many@example.com", *range(60))
    await note(gatepost, "ada@example.com", 100)
    await note(gatepost, "grace@example.com", 200)

    await gatepost.worker.drain()

    assert sorted(seen.numbers[:3]) == [0, 100, 200]
    assert sorted(seen.numbers[3:]) == list(range(1, 60))


async def test_past_its_end_it_is_not_run(start: Start, seen: Log, clock: MovableClock) -> None:
    gatepost = await start()
    await note(gatepost, "ada@example.com", 1, expires_at=clock.now() + timedelta(minutes=15))
    await note(gatepost, "ada@example.com", 2)
    clock.move(timedelta(minutes=15))

    assert await gatepost.worker.drain() == 2

    assert seen.numbers == [2]
    assert [state for state, *_ in await deliveries(gatepost)] == [EXPIRED, DONE]
    rows = await gatepost.database.reads.rows(select(Delivery.private, Delivery.source, Delivery.expires_at))
    assert [tuple(row) for row in rows] == [(None, None, None)] * 2


async def test_what_was_given_up_is_erased_when_it_may_not_be_sent_any_more(
    start: Start, seen: Log, clock: MovableClock
) -> None:
    gatepost = await start()
    seen.refused = {1, 2}
    await note(gatepost, "ada@example.com", 1, expires_at=clock.now() + timedelta(hours=1))
    await note(gatepost, "ada@example.com", 2)
    await gatepost.worker.drain()
    assert await deliveries(gatepost) == [(FAILED, 1, "Undeliverable 550")] * 2

    clock.move(timedelta(hours=1))
    await gatepost.schedule.run_all()

    letters = Letters(gatepost.database, clock)
    assert [state for state, *_ in await deliveries(gatepost)] == [EXPIRED, FAILED]
    seen.refused = set()
    assert await letters.retry_all() == 1
    await gatepost.worker.drain()
    assert (seen.numbers, seen.got[0].private["code"]) == ([2], "1")


async def test_what_no_key_opens_is_given_up_and_waits_for_the_key(
    start: Start, seen: Log, settings: Settings
) -> None:
    gatepost = await start()
    await note(gatepost, "ada@example.com", 1)
    log = EventLog([Consumer("log", [Thing], seen.run)], KeyRing([SECRET[::-1]]))
    stranger = Outbox(gatepost.database, log, gatepost.clock, gatepost.log)

    await stranger.lanes["default"].drain()

    assert (seen.got, await deliveries(gatepost)) == ([], [(FAILED, 1, "Unsealable")])
    assert await Letters(gatepost.database, gatepost.clock).retry_all() == 1
    assert await gatepost.worker.drain() == 1
