"""Claiming what is due: each delivery for one worker at a time, and nobody's many before another's one."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, func, literal_column, select, update

from gatepost.core.database import Database
from gatepost.core.events import Delivery, EventLog, EventRow, Lane, RecordedEvent
from gatepost.core.secrets import Unsealable

__all__ = ["IS_DUE", "Claim", "Claims"]

# How many of those who wait are looked at, for each that is claimed.
_WINDOW = 5

# Written out: with a parameter neither database would know that the partial index has all it asks for.
IS_DUE = Delivery.state == literal_column("'due'")
_DUE_NOW = and_(IS_DUE, Delivery.due_at <= bindparam("now"))


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that this worker holds until its lease ends. `attempts` counts this one.

    It is not to be begun after `begin_by`: it could outlast the lease. `event` is None if no key opens what is sealed
    in it. `asked_from` is the address of the client whose request it comes from, if there was one.
    """

    id: UUID
    consumer: str
    type: str
    attempts: int
    source: bytes
    begin_by: datetime
    expires_at: datetime | None
    event: RecordedEvent | None
    asked_from: str | None = None


class Claims:
    """Leases deliveries to this worker."""

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log

    async def take(
        self, lane: Lane, limit: int, now: datetime, lease: timedelta, begin_within: timedelta
    ) -> Sequence[Claim]:
        """Lease due deliveries: until the lease ends nobody else gets them. Returned in the order to run them in."""
        statement = (
            update(Delivery)
            # The condition stands twice: a subselect alone lets two workers take one row.
            .where(Delivery.id.in_(self._next(limit)), _DUE_NOW)
            .values(due_at=now + lease, attempts=Delivery.attempts + 1)
            .returning(*_COLUMNS)
            .execution_options(synchronize_session=False)
        )
        async with self._database.write() as transaction:
            rows = (await transaction.execute(statement, {"now": now, "in_lane": lane})).all()
            if not rows:
                return []
            wanted = select(EventRow).where(EventRow.id.in_({row.event_id for row in rows}))
            events = {event.id: event for event in await transaction.session.scalars(wanted)}
        return _in_turn([self._claim(row, events[row.event_id], now + begin_within) for row in rows])

    def _next(self, limit: int) -> Any:
        """Return the ids to claim, the first of everybody before the second of anybody.

        It looks at some times the limit only: whoever has more waiting than that goes first with those.
        """
        waiting = (
            select(Delivery.id, Delivery.source, Delivery.due_at)
            .where(
                _DUE_NOW,
                Delivery.lane == bindparam("in_lane"),
                Delivery.consumer.in_(list(self._log.consumers)),
            )
            .order_by(Delivery.due_at)
            .limit(limit * _WINDOW)
            .cte("waiting")
        )
        turn = func.row_number().over(
            partition_by=waiting.c.source, order_by=(waiting.c.due_at, waiting.c.id)
        )
        ranked = select(waiting.c.id, waiting.c.due_at, turn.label("turn")).cte("ranked")
        return (
            select(Delivery.id)
            .join(ranked, ranked.c.id == Delivery.id)
            .where(_DUE_NOW)
            .order_by(ranked.c.turn, ranked.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=Delivery)
            .correlate(None)
        )

    def _claim(self, row: Row[Any], event: EventRow, begin_by: datetime) -> Claim:
        return Claim(
            row.id,
            row.consumer,
            event.type,
            row.attempts,
            row.source or b"",
            begin_by,
            row.expires_at,
            self._recorded(row, event),
            event.address,
        )

    def _recorded(self, row: Row[Any], event: EventRow) -> RecordedEvent | None:
        try:
            private = self._log.open(row.id, row.private) if row.private else {}
        except Unsealable:
            return None
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


_COLUMNS = (
    Delivery.id,
    Delivery.event_id,
    Delivery.consumer,
    Delivery.attempts,
    Delivery.private,
    Delivery.source,
    Delivery.expires_at,
)


def _in_turn(claims: Sequence[Claim]) -> Sequence[Claim]:
    """Return them as everybody's first, everybody's second …; what was tried before comes last, by lot.

    One that kills the process must not drag down those behind it.
    """
    seen: Counter[bytes] = Counter()
    turns: list[tuple[bool, float, Claim]] = []
    for claim in sorted(claims, key=lambda claim: claim.id):
        seen[claim.source] += 1
        again = claim.attempts > 1
        turns.append((again, random.random() if again else seen[claim.source], claim))  # noqa: S311  a lot, not a secret
    return [claim for _, _, claim in sorted(turns, key=lambda turn: turn[:2])]
