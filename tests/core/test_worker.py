"""The worker itself: no fault ends it for good, and it ends before the database closes."""

import asyncio
import io
import json
import os
import signal
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from gatepost import Consumer, Gatepost, RecordedEvent, Settings, UserRegistered
from gatepost import worker as worker_module
from gatepost.accounts import Accounts, NewAccount
from gatepost.cli.serve import _work
from gatepost.core import schedule as schedule_module
from gatepost.core.clock import MovableClock
from gatepost.core.events import Delivery
from gatepost.core.idempotency import IdempotencyKey
from gatepost.core.ids import new_id
from gatepost.core.logging import make_logger
from gatepost.core.outbox import LanePolicy, LaneRunner
from gatepost.core.outbox import runner as runner_module
from tests.make import PASSWORD
from tests.processes import environment

ADA = NewAccount(email="ada@example.com", password=PASSWORD)
TIMEOUT = 30


class Crash(BaseException):
    """What no handler of exceptions catches."""


async def sign_up(gatepost: Gatepost) -> None:
    async with gatepost.work() as work:
        await gatepost.build(Accounts, work).sign_up(ADA)


async def happen(gatepost: Gatepost) -> None:
    async with gatepost.work() as work:
        work.events.record(UserRegistered(subject=new_id(), by="sign-up"))


async def rename(gatepost: Gatepost, table: str, name: str) -> None:
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


async def past_key(gatepost: Gatepost) -> None:
    """Leave something to clean up."""
    row = {"digest": b"d" * 32, "asked": b"", "holder": new_id(), "expires_at": gatepost.clock.now()}
    async with gatepost.database.write() as transaction:
        await transaction.execute(insert(IdempotencyKey).values(row))


async def keys(gatepost: Gatepost) -> int:
    return len(await gatepost.database.reads.rows(select(IdempotencyKey.digest)))


async def until_cleaned(gatepost: Gatepost) -> None:
    while await keys(gatepost):  # noqa: ASYNC110  the database tells nobody
        await asyncio.sleep(0.01)


class Said(io.StringIO):
    """A log that tells when a certain line was written."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word
        self.heard = asyncio.Event()

    def write(self, text: str) -> int:
        if self._word in text:
            self.heard.set()
        return super().write(text)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_fault_is_logged_and_the_worker_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_PAUSE_AFTER_FAULT", 0.01)
    settings = settings.model_copy(update={"run_worker": True})
    said, told = Said("worker.failed"), asyncio.Event()

    async def tell(_event: RecordedEvent) -> None:
        told.set()

    gatepost = Gatepost(
        settings, consumers=[Consumer("crm", {UserRegistered}, tell)], log=make_logger("json", "info", said)
    )
    async with gatepost.lifespan(), asyncio.timeout(TIMEOUT):
        # A missing table is neither a lost connection nor a conflict.
        await rename(gatepost, "deliveries", "elsewhere")
        gatepost.wake.now()
        await said.heard.wait()
        await rename(gatepost, "elsewhere", "deliveries")
        await sign_up(gatepost)
        await told.wait()

    (first, *_) = [line for line in said.lines if line["event"] == "worker.failed"]
    assert first["level"] == "error"
    assert "UndefinedTable" in first["exception"]


async def test_the_worker_alone_ends_on_a_signal_before_the_database_closes(settings: Settings) -> None:
    ended: list[str] = []

    async def stuck(_event: RecordedEvent) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            await gatepost.database.ping()
            ended.append("in order")

    gatepost = Gatepost(settings, consumers=[Consumer("crm", {UserRegistered}, stuck)])
    await sign_up(gatepost)

    async with asyncio.timeout(TIMEOUT):
        await _work(gatepost)

    assert ended == ["in order"]
    (delivery,) = await gatepost.database.reads.rows(select(Delivery.state, Delivery.attempts))
    assert tuple(delivery) == ("due", 0)
    await gatepost.database.close()


async def test_the_worker_alone_ends_with_what_it_died_of(settings: Settings) -> None:
    async def crash(_event: RecordedEvent) -> None:
        raise Crash

    gatepost = Gatepost(settings, consumers=[Consumer("crm", {UserRegistered}, crash)])
    await sign_up(gatepost)

    with pytest.raises(Crash):
        async with asyncio.timeout(TIMEOUT):
            await _work(gatepost)


async def test_jobs_run_though_nobody_listens_to_events(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_module, "FIRST_LOOK", timedelta(0))
    gatepost = Gatepost(settings.model_copy(update={"run_worker": True}))
    await past_key(gatepost)

    async with gatepost.lifespan(), asyncio.timeout(TIMEOUT):
        await until_cleaned(gatepost)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("run_worker", [True, False])
async def test_a_setting_says_whether_the_worker_runs(settings: Settings, run_worker: bool) -> None:
    gatepost = Gatepost(settings.model_copy(update={"run_worker": run_worker}))

    async with gatepost.lifespan():
        running: Any = [task.get_coro() for task in asyncio.all_tasks()]

    assert ("Worker.run" in {each.__qualname__ for each in running}) == run_worker


async def test_jobs_go_on_when_the_database_is_there_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_module, "FIRST_LOOK", timedelta(0))
    monkeypatch.setattr(worker_module, "_PAUSE_AFTER_FAULT", 0.01)
    said = Said("worker.")
    working = settings.model_copy(update={"run_worker": True})
    gatepost = Gatepost(working, log=make_logger("json", "info", said))
    await past_key(gatepost)
    await rename(gatepost, "schedules", "elsewhere")

    async with gatepost.lifespan(), asyncio.timeout(TIMEOUT):
        await said.heard.wait()
        await rename(gatepost, "elsewhere", "schedules")
        await until_cleaned(gatepost)


DIES = """
import asyncio, os, signal, sys
from gatepost import Consumer, Gatepost, Settings, UserRegistered

async def die(event):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    gatepost = Gatepost(Settings(), consumers=[Consumer("crm", {UserRegistered}, die)])
    async with gatepost.lifespan():
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_f35_what_a_worker_held_when_it_was_killed_another_delivers(
    settings: Settings, tmp_path: Path
) -> None:
    got: list[RecordedEvent] = []

    async def take(event: RecordedEvent) -> None:
        got.append(event)

    clock = MovableClock()
    gatepost = Gatepost(settings, clock=clock, consumers=[Consumer("crm", {UserRegistered}, take)])
    await sign_up(gatepost)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DIES),
        cwd=tmp_path,
        env=environment(tmp_path, {"GATEPOST_DATABASE_URL": settings.database_location}),
    )

    assert await asyncio.wait_for(process.wait(), TIMEOUT) == -signal.SIGKILL

    assert await gatepost.worker.drain() == 0
    clock.move(timedelta(seconds=TIMEOUT) + LanePolicy(name="default").lease)
    assert await gatepost.worker.drain() == 1
    (delivery,) = await gatepost.database.reads.rows(select(Delivery.state, Delivery.attempts))
    assert (len(got), *delivery) == (1, "done", 2)
    await gatepost.database.close()


async def both_lanes_sleep() -> None:
    def sleeping() -> int:
        coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
        return sum(each.__qualname__ == "_Watch._called_or_due" for each in coroutines)

    while sleeping() < 2:  # noqa: ASYNC110  they tell nobody
        await asyncio.sleep(0.01)


async def test_what_comes_while_it_works_is_claimed_together_and_only_where_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction for each delivery would cost more than the delivery; one lane's news are none of the other's."""
    looked: Counter[str] = Counter()
    claim = LaneRunner.claim

    async def counted(lane: LaneRunner) -> int:
        looked[lane.policy.name] += 1
        return await claim(lane)

    monkeypatch.setattr(LaneRunner, "claim", counted)
    monkeypatch.setattr(worker_module, "_GATHERING", 1.0)
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", 3600.0)
    got: asyncio.Queue[RecordedEvent] = asyncio.Queue()
    gatepost = Gatepost(
        settings.model_copy(update={"run_worker": True}),
        consumers=[Consumer("crm", {UserRegistered}, got.put)],
    )
    async with gatepost.lifespan(), asyncio.timeout(TIMEOUT):
        await both_lanes_sleep()
        looked.clear()
        for _ in range(8):
            await happen(gatepost)
        for _ in range(8):
            await got.get()

    # The first alone and at once, the others after it; once more if they took longer than that.
    assert looked["default"] <= 3
    assert looked["mail"] == 0


async def test_what_failed_is_tried_again_in_time_though_another_still_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", 3600.0)
    monkeypatch.setattr(runner_module, "delay_after", lambda _attempts: 0.05)
    stuck, over, again = asyncio.Event(), asyncio.Event(), asyncio.Event()
    tried: Counter[str] = Counter()

    async def hang(_event: RecordedEvent) -> None:
        stuck.set()
        await over.wait()

    async def fail_once(event: RecordedEvent) -> None:
        await stuck.wait()
        tried[event.type] += 1
        if tried[event.type] == 1:
            raise ValueError
        again.set()

    consumers = [
        Consumer("slow", {UserRegistered}, hang, lane="mail"),
        Consumer("unlucky", {UserRegistered}, fail_once, lane="mail"),
    ]
    gatepost = Gatepost(settings.model_copy(update={"run_worker": True}), consumers=consumers)
    async with gatepost.lifespan(), asyncio.timeout(TIMEOUT):
        await happen(gatepost)
        await again.wait()
        over.set()

    assert tried == {"user.registered": 2}


async def test_a_worker_that_begins_again_looks_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", 3600.0)
    got: asyncio.Queue[RecordedEvent] = asyncio.Queue()

    def service(*, works: bool) -> Gatepost:
        return Gatepost(
            settings.model_copy(update={"run_worker": works}),
            consumers=[Consumer("crm", {UserRegistered}, got.put)],
        )

    gatepost, other = service(works=True), service(works=False)
    async with asyncio.timeout(TIMEOUT):
        async with gatepost.lifespan():
            await both_lanes_sleep()
            await happen(gatepost)
            await got.get()
            await both_lanes_sleep()
        await happen(other)
        async with gatepost.lifespan():
            assert (await got.get()).type == "user.registered"
    await other.database.close()
