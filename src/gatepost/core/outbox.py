"""Carrying recorded events to their consumers: at least once, safely by many workers."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.events import Delivery, EventLog, EventRow, RecordedEvent
from gatepost.core.logging import Logger
from gatepost.core.schedule import Job, delete_past

__all__ = ["DONE", "DUE", "FAILED", "MOST_ATTEMPTS", "Outbox", "settled_deliveries"]

DUE, DONE, FAILED = "due", "done", "failed"
MOST_ATTEMPTS = 12
LEASE = timedelta(seconds=60)
_LONGEST_RUN = 20.0
_FIRST_DELAY = 2.0
_LONGEST_DELAY = 3600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that this worker holds until its lease ends. `attempts` counts this one."""

    id: UUID
    consumer: str
    attempts: int
    event: RecordedEvent


class Outbox:
    """Claims due deliveries, runs them, and puts back or gives up what fails."""

    def __init__(self, database: Database, log: EventLog, clock: Clock, logger: Logger) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._logger = logger

    async def run_due(self, limit: int = 20) -> int:
        """Run what is due now, at most `limit`; return how many deliveries were claimed."""
        if not self._log.consumers:
            return 0
        last_start = self._clock.now() + LEASE - timedelta(seconds=_LONGEST_RUN)
        claims = await self.claim(limit)
        waiting = deque(sorted(claims, key=_turn))
        try:
            while waiting and self._clock.now() <= last_start:
                await self._run(waiting[0])
                waiting.popleft()
        except asyncio.CancelledError:
            with suppress(Exception):  # else they wait for the end of the lease, and count an attempt
                await self._give_back(waiting)
            raise
        await self._give_back(waiting)
        return len(claims)

    async def claim(self, limit: int) -> Sequence[Claim]:
        """Lease due deliveries to this worker: until then nobody else gets them."""
        now = self._clock.now()
        async with self._database.write() as transaction:
            due = (
                select(Delivery.id)
                .where(
                    Delivery.state == DUE,
                    Delivery.due_at <= bindparam("now"),
                    Delivery.consumer.in_(list(self._log.consumers)),
                )
                .order_by(Delivery.due_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            # The condition stands twice: a subselect alone lets two workers take one row.
            statement = (
                update(Delivery)
                .where(Delivery.id.in_(due), Delivery.state == DUE, Delivery.due_at <= bindparam("now"))
                .values(due_at=now + LEASE, attempts=Delivery.attempts + 1)
                .returning(
                    Delivery.id,
                    Delivery.event_id,
                    Delivery.consumer,
                    Delivery.attempts,
                    Delivery.private,
                    Delivery.expires_at,
                )
                .execution_options(synchronize_session=False)
            )
            taken = (await transaction.execute(statement, {"now": now})).all()
            if not taken:
                return []
            events = await transaction.session.scalars(
                select(EventRow).where(EventRow.id.in_({row.event_id for row in taken}))
            )
            by_id = {event.id: event for event in events}
        return [
            Claim(row.id, row.consumer, row.attempts, self._recorded(by_id[row.event_id], row))
            for row in taken
        ]

    def _recorded(self, event: EventRow, row: Any) -> RecordedEvent:
        private = self._log.open(row.id, row.private) if row.private else {}
        return RecordedEvent(
            event.id,
            event.type,
            event.at,
            event.subject,
            event.actor,
            event.data,
            row.id,
            private,
            row.expires_at,
        )

    async def _run(self, claim: Claim) -> None:
        if claim.attempts > MOST_ATTEMPTS:
            # What fails is given up at the last attempt. After that one nobody was left to say anything.
            self._report(claim, given_up=True, error=None)
            await self._settle(claim, state=FAILED, last_error="Crashed")
            return
        try:
            async with asyncio.timeout(_LONGEST_RUN):
                await self._log.consumers[claim.consumer].run(claim.event)
        except asyncio.CancelledError as error:
            if _is_ending():
                raise
            await self._put_back(claim, error)
        except Exception as error:  # noqa: BLE001  a consumer may fail in any way; it must stop none behind it
            await self._put_back(claim, error)
        else:
            await self._settle(claim, state=DONE, last_error=None)

    async def _give_back(self, claims: Iterable[Claim]) -> None:
        """End the leases of what was not run, or not to the end, as if it had never been claimed."""
        for claim in claims:
            await self._settle(claim, due_at=self._clock.now(), attempts=claim.attempts - 1)

    def _report(self, claim: Claim, *, given_up: bool, error: BaseException | None) -> None:
        self._logger.warning(
            "delivery.failed",
            consumer=claim.consumer,
            event_type=claim.event.type,
            delivery=str(claim.id),
            attempts=claim.attempts,
            given_up=given_up,
            exc_info=error,
        )

    async def _put_back(self, claim: Claim, error: BaseException) -> None:
        given_up = claim.attempts >= MOST_ATTEMPTS
        self._report(claim, given_up=given_up, error=error)
        due_at = self._clock.now() + timedelta(seconds=delay_after(claim.attempts))
        # The kind of error only: its text may hold what the consumer was sending.
        await self._settle(
            claim, state=FAILED if given_up else DUE, last_error=type(error).__qualname__[:500], due_at=due_at
        )

    async def _settle(self, claim: Claim, **values: Any) -> None:
        async with self._database.write() as transaction:
            # Only while the lease is ours: a later claim counts its own attempt.
            statement = update(Delivery).where(
                Delivery.id == claim.id, Delivery.state == DUE, Delivery.attempts == claim.attempts
            )
            await transaction.execute(statement.values(**values).execution_options(synchronize_session=False))

    async def overdue(self) -> tuple[int, datetime | None]:
        """Return how many deliveries should have been run by now, and since when the oldest."""
        if not self._log.consumers:
            return 0, None
        statement = select(func.count().label("due"), func.min(Delivery.due_at).label("since")).where(
            Delivery.state == DUE,
            Delivery.due_at <= self._clock.now(),
            Delivery.consumer.in_(list(self._log.consumers)),
        )
        row = await self._database.reads.first(statement)
        return (row.due, row.since) if row else (0, None)

    async def next_due(self) -> datetime | None:
        """Return when the next delivery is due; None if nothing waits."""
        if not self._log.consumers:
            return None
        statement = (
            select(Delivery.due_at)
            .where(Delivery.state == DUE, Delivery.consumer.in_(list(self._log.consumers)))
            .order_by(Delivery.due_at)
            .limit(1)
        )
        row = await self._database.reads.first(statement)
        return row.due_at if row else None


def settled_deliveries(keep: timedelta) -> list[Job]:
    """Return the jobs that delete deliveries this long after they were made or given up."""
    return [
        delete_past(name, Delivery.id, Delivery.due_at, Delivery.state == state, keep=keep)
        for name, state in (("deliveries.done", DONE), ("deliveries.failed", FAILED))
    ]


def delay_after(attempts: int) -> float:
    """Return the pause before the next attempt, in seconds: doubling, jittered, at most an hour."""
    longest = min(_FIRST_DELAY * 2 ** (attempts - 1), _LONGEST_DELAY)
    return random.uniform(longest / 2, longest)  # noqa: S311  jitter, not a secret


def _turn(claim: Claim) -> float:
    # What was tried before comes last, by lot: one that kills the process must not drag down those behind it.
    return 0 if claim.attempts == 1 else 1 + random.random()  # noqa: S311  a lot, not a secret


def _is_ending() -> bool:
    """Tell whether it is the worker that is being cancelled, not something that a consumer waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
