"""Jobs that recur: once for all processes, in small batches, and clean-up that takes nothing that lives."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import Engine, event, func, insert, select, text, update

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.database import Database, Transaction
from gatepost.core.events import Delivery, EventRow
from gatepost.core.idempotency import IdempotencyKey
from gatepost.core.ids import new_id
from gatepost.core.logging import make_logger
from gatepost.core.outbox import DUE, STATES
from gatepost.core.schedule import BATCH, EVERY, FIRST_LOOK, Job, Schedule, ScheduleRow
from gatepost.sessions import Session
from gatepost.tokens import RefreshFamily
from tests.make import Make
from tests.processes import run

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LONGEST_PAUSE = EVERY * 1.1
LOG = make_logger("json", "error")


async def count(gatepost: Gatepost, table: Any, *conditions: Any) -> int:
    row = await gatepost.database.reads.first(
        select(func.count().label("rows")).select_from(table).where(*conditions)
    )
    return row.rows if row else 0


async def add(database: Database, table: Any, *rows: dict[str, Any]) -> None:
    async with database.write() as transaction:
        await transaction.execute(insert(table), list(rows))


def key(expires_at: datetime) -> dict[str, Any]:
    return {"digest": random.randbytes(32), "asked": b"", "holder": new_id(), "expires_at": expires_at}


@contextmanager
def statements() -> Generator[list[str]]:
    """Collect what any engine of this process is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


class Counted:
    """A job that remembers its runs, and does as many rows as it is told to."""

    def __init__(self, name: str = "counted", *rows: int) -> None:
        self.runs = 0
        self.fails = False
        self._rows = iter(rows)
        self.job = Job(name, self._run)

    async def _run(self, transaction: Transaction, _now: datetime) -> int:
        await transaction.execute(text("SELECT 1"))
        self.runs += 1
        if self.fails:
            raise RuntimeError
        return next(self._rows, 0)


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[list[Database]]:
    """One database as four processes hold it."""
    async with AsyncExitStack() as stack:
        several = [Database(database_url) for _ in range(4)]
        for each in several:
            stack.push_async_callback(each.close)
        yield several


# ── when ─────────────────────────────────────────────────────────────────────────────────────────


async def test_of_many_processes_one_runs_a_job_in_each_interval(
    databases: list[Database], clock: MovableClock
) -> None:
    counted = Counted()
    schedules = [Schedule(database, [counted.job], clock, LOG) for database in databases]

    async def all_at_once() -> None:
        await asyncio.gather(*(each.run_due() for each in schedules))

    await all_at_once()
    assert counted.runs == 0
    clock.move(FIRST_LOOK)
    for interval in range(1, 6):
        await all_at_once()
        await all_at_once()
        assert counted.runs == interval
        clock.move(LONGEST_PAUSE)


async def test_nothing_is_asked_until_something_may_be_due(
    databases: list[Database], clock: MovableClock
) -> None:
    schedule = Schedule(databases[0], [Counted().job, Counted("another").job], clock, LOG)
    with statements() as before_the_first_look:
        assert await schedule.run_due() == 0
    assert 0 <= schedule.seconds_to_next <= FIRST_LOOK.total_seconds()
    clock.move(FIRST_LOOK)
    await schedule.run_due()
    await schedule.run_due()

    with statements() as afterwards:
        for _ in range(10):
            assert await schedule.run_due() == 0

    assert before_the_first_look == afterwards == []
    assert 0.9 * EVERY <= timedelta(seconds=schedule.seconds_to_next) <= LONGEST_PAUSE


async def test_the_intervals_are_not_all_alike(databases: list[Database], clock: MovableClock) -> None:
    jobs = [Counted(f"job {number}").job for number in range(20)]
    schedule = Schedule(databases[0], jobs, clock, LOG)
    await schedule.run_due()
    clock.move(FIRST_LOOK)
    await schedule.run_due()

    rows = await databases[0].reads.rows(select(ScheduleRow.due_at))

    assert len({row.due_at for row in rows}) > 15
    assert all(0.9 * EVERY <= row.due_at - clock.now() <= LONGEST_PAUSE for row in rows)


async def test_f16_a_time_that_a_wrong_clock_set_does_not_stop_a_job(
    databases: list[Database], clock: MovableClock
) -> None:
    counted = Counted()
    await add(databases[0], ScheduleRow, {"name": "counted", "due_at": clock.now() + 1000 * DAY})
    schedules = [Schedule(database, [counted.job], clock, LOG) for database in databases]
    for each in schedules:
        await each.run_due()
    clock.move(FIRST_LOOK)

    await asyncio.gather(*(each.run_due() for each in schedules))

    assert counted.runs == 1


# ── in batches, whatever fails ───────────────────────────────────────────────────────────────────


async def test_a_long_job_is_done_a_batch_at_a_time(gatepost: Gatepost, clock: MovableClock) -> None:
    rows = [key(clock.now() - SECOND) for _ in range(2 * BATCH + 1)]
    await add(gatepost.database, IdempotencyKey, *rows, key(clock.now() + DAY))
    await gatepost.schedule.run_due()
    clock.move(FIRST_LOOK)

    done = [await gatepost.schedule.run_due() for _ in range(len(gatepost.schedule.effects) + 2)]

    assert [rows for rows in done if rows] == [BATCH, BATCH, 1]
    assert await count(gatepost, IdempotencyKey) == 1


async def test_batches_of_several_jobs_take_turns(databases: list[Database], clock: MovableClock) -> None:
    long, short = Counted("long", BATCH, BATCH, 3), Counted("short", 7)
    schedule = Schedule(databases[0], [long.job, short.job], clock, LOG)
    await schedule.run_due()
    clock.move(FIRST_LOOK)

    assert [await schedule.run_due() for _ in range(5)] == [BATCH, 7, BATCH, 3, 0]


async def test_f35_a_job_that_fails_stops_no_other_and_comes_again(
    databases: list[Database], clock: MovableClock
) -> None:
    poison, good = Counted("poison"), Counted("good", 1, 1)
    poison.fails = True
    schedule = Schedule(databases[0], [poison.job, good.job], clock, LOG)
    await schedule.run_due()
    clock.move(FIRST_LOOK)

    for runs in (1, 2):
        with pytest.raises(RuntimeError):
            await schedule.run_due()
        assert [await schedule.run_due() for _ in range(3)] == [1, 0, 0]
        assert (poison.runs, good.runs) == (runs, runs)
        clock.move(LONGEST_PAUSE)


async def test_f35_what_a_process_that_died_began_another_ends(
    databases: list[Database], clock: MovableClock
) -> None:
    counted = Counted("counted", BATCH, 2)
    dead, alive = (Schedule(database, [counted.job], clock, LOG) for database in databases[:2])
    await dead.run_due()
    await alive.run_due()
    clock.move(FIRST_LOOK)
    assert await dead.run_due() == BATCH

    assert await alive.run_due() == 0
    clock.move(LONGEST_PAUSE)
    assert await alive.run_due() == 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_row_that_somebody_holds_is_left_for_the_next_time(
    gatepost: Gatepost, clock: MovableClock
) -> None:
    rows = [key(clock.now()) for _ in range(3)]
    await add(gatepost.database, IdempotencyKey, *rows)
    held = select(IdempotencyKey.digest).where(IdempotencyKey.digest == rows[0]["digest"]).with_for_update()
    async with gatepost.database.write() as holder:
        await holder.execute(held)

        assert (await gatepost.schedule.run_all())["idempotency-keys.expired"] == 2

    assert (await gatepost.schedule.run_all())["idempotency-keys.expired"] == 1


def test_two_jobs_of_one_name_are_refused(clock: MovableClock) -> None:
    with pytest.raises(ValueError, match="same name"):
        Schedule(Database("sqlite:///never-opened.db"), [Counted().job, Counted().job], clock, LOG)


# ── what is cleaned up, and what is not ──────────────────────────────────────────────────────────


async def test_v14_2_7_a_session_that_was_ended_is_forgotten_a_month_later(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    signed_in = await make.signed_in()
    assert (await client.post("/users/logout", headers=signed_in.headers)).status_code == 204

    clock.move(30 * DAY - SECOND)
    await gatepost.schedule.run_all()
    assert await count(gatepost, Session, Session.ended_at.is_not(None)) == 1
    clock.move(SECOND)
    deleted = await gatepost.schedule.run_all()

    assert deleted["sessions.ended"] == 1
    assert await count(gatepost, Session) == await count(gatepost, RefreshFamily) == 0


async def test_v14_2_7_a_session_that_expired_is_forgotten_a_month_later(
    gatepost: Gatepost, make: Make, clock: MovableClock
) -> None:
    await make.signed_in()

    clock.move(60 * DAY - SECOND)
    await gatepost.schedule.run_all()
    assert await count(gatepost, Session) == 1
    clock.move(SECOND)

    assert (await gatepost.schedule.run_all())["sessions.expired"] == 1


async def test_after_a_clean_up_a_stolen_refresh_token_still_ends_its_family(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    signed_in = await make.signed_in()
    clock.move(13 * DAY)
    rotated = (await make.refresh(signed_in.refresh_token)).json()
    await gatepost.schedule.run_all()

    assert (await make.reuse(signed_in.refresh_token)).status_code == 400

    headers = {"Authorization": f"Bearer {rotated['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).status_code == 401
    assert (await make.refresh(rotated["refresh_token"])).status_code == 400


async def test_v14_2_7_deliveries_are_forgotten_a_month_after_they_were_settled(
    gatepost: Gatepost, clock: MovableClock
) -> None:
    event_id = new_id()
    happened = {"id": event_id, "type": "thing.happened", "at": clock.now(), "data": {}}
    await add(gatepost.database, EventRow, happened)
    rows = [
        {
            "id": new_id(),
            "event_id": event_id,
            "consumer": "crm",
            "state": state,
            "due_at": due,
            "attempts": 1,
        }
        for state in STATES
        for due in (clock.now() - 30 * DAY, clock.now() - 30 * DAY + SECOND)
    ]
    await add(gatepost.database, Delivery, *rows)

    deleted = await gatepost.schedule.run_all()

    assert {name: rows for name, rows in deleted.items() if rows} == {
        f"deliveries.{state}": 1 for state in STATES if state != DUE
    }
    # What still waits for its consumer waits for ever, and what happened is on record for ever.
    assert await count(gatepost, Delivery, Delivery.state == DUE) == 2
    assert await count(gatepost, EventRow, EventRow.id == event_id) == 1


def moments(now: datetime) -> list[datetime]:
    """Return times on both sides of every limit there is."""
    limits = [now, now - 30 * DAY, now + DAY, now - 100 * DAY]
    return [limit + by for limit in limits for by in (-SECOND, timedelta(0), SECOND)]


async def test_nothing_that_lives_is_deleted(gatepost: Gatepost, make: Make, clock: MovableClock) -> None:
    person, now = await make.user(), clock.now()
    common: dict[str, Any] = {"user_id": person.id, "client_id": "x", "amr": [], "acr": "x"}
    sessions: list[dict[str, Any]] = [
        {
            **common,
            "id": new_id(),
            "auth_time": now,
            "created_at": now,
            "last_seen_at": now,
            "remember": True,
            "expires_at": expires,
            "ended_at": ended,
        }
        for expires, ended in itertools.product(moments(now), [None, *moments(now)])
    ]
    families: list[dict[str, Any]] = [
        {
            "session_id": session["id"],
            "user_id": person.id,
            "client_id": "x",
            "scope": "account",
            "expires_at": session["expires_at"],
            "digest": random.randbytes(32),
            "generation": 1,
            "rotated_at": now,
        }
        for session in sessions
    ]
    await add(gatepost.database, Session, *sessions)
    await add(gatepost.database, RefreshFamily, *families)
    kept = {
        session["id"]
        for session in sessions
        if min(session["expires_at"], session["ended_at"] or session["expires_at"]) > now - 30 * DAY
    }

    await gatepost.schedule.run_all()

    found = await gatepost.database.reads.rows(select(Session.id))
    assert {row.id for row in found} == kept
    found = await gatepost.database.reads.rows(select(RefreshFamily.session_id))
    assert {row.session_id for row in found} == kept


async def test_a_clean_up_beside_requests_refuses_none(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    await add(gatepost.database, IdempotencyKey, *[key(clock.now()) for _ in range(3 * BATCH)])
    signed_in = await make.signed_in()

    async def work() -> list[int]:
        names = [{"name": f"name {number}"} for number in range(20)]
        return [
            (await client.patch("/users/me", json=name, headers=signed_in.headers)).status_code
            for name in names
        ]

    deleted, answers = await asyncio.gather(gatepost.schedule.run_all(), work())

    assert deleted["idempotency-keys.expired"] == 3 * BATCH
    assert answers == [200] * 20


# ── by command ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_db_clean_says_how_much_it_deleted(
    settings: Settings, clock: MovableClock, database_url: str, tmp_path: Path
) -> None:
    service = Gatepost(settings, clock=clock)
    await add(service.database, IdempotencyKey, key(clock.now()), key(clock.now() + DAY))
    # Not due for others, which is no matter for a command.
    async with service.database.write() as transaction:
        await transaction.execute(update(ScheduleRow).values(due_at=clock.now() + EVERY))

    done = await asyncio.to_thread(
        run, tmp_path, "db", "clean", settings={"GATEPOST_DATABASE_URL": database_url}
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "idempotency-keys.expired: 1 deleted" in done.stdout.splitlines()
    assert await count(service, IdempotencyKey) == 1
    await service.database.close()
