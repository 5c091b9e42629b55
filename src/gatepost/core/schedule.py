"""Jobs that recur: each by one process at a time, in small batches, for as long as a worker runs somewhere."""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from gatepost.core.clock import Clock
from gatepost.core.database import Database, Transaction
from gatepost.core.logging import Logger
from gatepost.core.models import Base

__all__ = ["BATCH", "EVERY", "FIRST_LOOK", "Job", "Schedule", "ScheduleRow", "delete_past"]

EVERY = timedelta(minutes=10)
BATCH = 500
FIRST_LOOK = timedelta(seconds=60)
_JITTER = 0.1


class ScheduleRow(Base):
    """When a job is due next, for all processes."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    due_at: Mapped[datetime]


@dataclass(frozen=True)
class Job:
    """What is to be done about `every` so often.

    `run` does one batch in the transaction that it gets and returns how many rows it was; while that is a whole
    `batch` it runs again, in another transaction. It may be cut off between two batches, and begun by two at once.
    The transaction begins with its first statement: a job that opens units of work of its own leaves it alone.
    `effect` says what becomes of the rows.
    """

    name: str
    run: Callable[[Transaction, datetime], Awaitable[int]]
    every: timedelta = EVERY
    batch: int = BATCH
    effect: str = "deleted"


def delete_past(
    name: str,
    key: InstrumentedAttribute[Any],
    time: InstrumentedAttribute[Any],
    *conditions: Any,
    keep: timedelta = timedelta(0),
    batch: int = BATCH,
) -> Job:
    """Return a job that deletes rows by their `key` once their `time` lies `keep` in the past. Index `time`."""
    # As a CTE it is evaluated once: a plan may run a plain subselect again, and pass the limit.
    past = (
        select(key)
        .where(time <= bindparam("limit"), *conditions)
        .order_by(time)
        .limit(batch)
        .with_for_update(skip_locked=True)
        .cte("past")
    )
    # Returned because SQLite's driver does not count what a statement that begins with a CTE deletes.
    table: Any = key.class_
    statement = delete(table).where(key.in_(select(past.c[0]))).returning(key)
    statement = statement.execution_options(synchronize_session=False)

    async def run(transaction: Transaction, now: datetime) -> int:
        return len((await transaction.execute(statement, {"limit": now - keep})).all())

    return Job(name, run, batch=batch)


class Schedule:
    """Runs jobs when they are due. Of several processes one has a job at a time, until the next time it is due."""

    def __init__(self, database: Database, jobs: Sequence[Job], clock: Clock, log: Logger) -> None:
        self._database = database
        self._jobs = {job.name: job for job in jobs}
        self._clock = clock
        self._log = log
        self._begun: deque[Job] = deque()
        self._look_at: datetime | None = None
        self._moved = False
        if len(self._jobs) != len(jobs):
            raise ValueError("two jobs bear the same name")

    async def run_due(self) -> int:
        """Run one batch of what is due; return how many rows it was. Asks the database only when something may be.

        The first look is some seconds after the start: a process that is starting has better things to do.
        """
        now = self._clock.now()
        if self._look_at is None:
            self._look_at = now + FIRST_LOOK * random.random()  # noqa: S311  jitter, not a secret
        if not self._begun and (self._moved or now >= self._look_at):
            self._moved = False
            await self._look(now)
        return await self._run(self._begun.popleft()) if self._begun else 0

    @property
    def effects(self) -> dict[str, str]:
        """What each job does with rows, by its name."""
        return {name: job.effect for name, job in self._jobs.items()}

    def look_again(self) -> None:
        """Ask the database in the next round what is due, whatever is being read right now: the clock was moved."""
        self._moved = True

    async def run_all(self) -> dict[str, int]:
        """Run every job to its end, due or not; return how many rows each was."""
        return {name: await self._run_whole(job) for name, job in self._jobs.items()}

    async def _run_whole(self, job: Job) -> int:
        total = done = await self._batch(job)
        while done >= job.batch:
            done = await self._batch(job)
            total += done
        return total

    @property
    def seconds_to_next(self) -> float:
        """How long nothing is due, as far as this process knows."""
        if self._begun or self._moved or self._look_at is None:
            return 0.0
        return max((self._look_at - self._clock.now()).total_seconds(), 0.0)

    async def _look(self, now: datetime) -> None:
        rows = await self._database.reads.rows(select(ScheduleRow.name, ScheduleRow.due_at))
        due_at = {row.name: row.due_at for row in rows}
        for job in self._jobs.values():
            due = due_at.get(job.name)
            if due is None:
                await self._put_up(job, now)
            # A time that lies further ahead than any we would set comes from a wrong clock.
            if due is None or due <= now or due > now + 2 * job.every:
                due = _next(job, now)
                if await self._claim(job, now, due):
                    self._begun.append(job)
            due_at[job.name] = due
        self._look_at = min((due_at[name] for name in self._jobs), default=now + EVERY)

    async def _put_up(self, job: Job, now: datetime) -> None:
        try:
            async with self._database.write() as transaction:
                await transaction.execute(insert(ScheduleRow).values(name=job.name, due_at=now))
        except IntegrityError:
            # Another process was quicker; the claim decides between us.
            self._log.debug("job.known", job=job.name)

    async def _claim(self, job: Job, now: datetime, following: datetime) -> bool:
        overdue = or_(ScheduleRow.due_at <= now, ScheduleRow.due_at > now + 2 * job.every)
        statement = update(ScheduleRow).where(ScheduleRow.name == job.name, overdue).values(due_at=following)
        async with self._database.write() as transaction:
            claimed: Any = await transaction.execute(statement.execution_options(synchronize_session=False))
        return claimed.rowcount == 1

    async def _run(self, job: Job) -> int:
        """Run one batch; what fails waits until it is due again."""
        done = await self._batch(job)
        if done:
            self._log.info("job.ran", job=job.name, rows=done)
        if done >= job.batch:
            self._begun.append(job)
        return done

    async def _batch(self, job: Job) -> int:
        try:
            async with self._database.write() as transaction:
                done = await job.run(transaction, self._clock.now())
        except Exception:
            self._log.warning("job.failed", job=job.name)
            raise
        return done


def _next(job: Job, now: datetime) -> datetime:
    return now + job.every * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  jitter, not a secret
