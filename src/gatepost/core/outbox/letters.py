"""Deliveries as an operator sees them: what became of them, and what is to be tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.errors import Conflict, NotFound
from gatepost.core.events import Delivery, EventRow
from gatepost.core.outbox.states import DUE, FAILED

__all__ = ["DeliveryUnknown", "Letter", "Letters", "NotGivenUp"]


class DeliveryUnknown(NotFound):
    """There is none with this id, or no more."""

    code = "delivery-unknown"
    sentence = "There is no such delivery."


class NotGivenUp(Conflict):
    """Only what was given up, and may still be delivered, is tried again."""

    code = "delivery-not-given-up"
    sentence = "This delivery was not given up, or its time is over."


@dataclass(frozen=True, slots=True)
class Letter:
    """One delivery, without what only its consumer may know. `due_at`: the next try, or when it was given up."""

    id: UUID
    event: str
    consumer: str
    lane: str
    state: str
    attempts: int
    due_at: datetime
    expires_at: datetime | None
    last_error: str | None


class Letters:
    """Looks at deliveries, and has those that were given up tried again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def listed(self, state: str, limit: int) -> Sequence[Letter]:
        """Return deliveries in a state, those first whose time came last."""
        statement = (
            select(*_COLUMNS)
            .join(EventRow, EventRow.id == Delivery.event_id)
            .where(Delivery.state == state)
            .order_by(Delivery.due_at.desc())
            .limit(limit)
        )
        rows = await self._database.reads.scan(statement)
        return [Letter(**row._asdict()) for row in rows]

    async def retry(self, delivery: UUID) -> None:
        """Have one tried again, as if for the first time. Raises DeliveryUnknown, NotGivenUp."""
        async with self._database.write() as transaction:
            again = _again(self._clock.now()).where(Delivery.id == delivery).returning(Delivery.id)
            if (await transaction.execute(again)).first() is None:
                known = select(Delivery.id).where(Delivery.id == delivery)
                raise NotGivenUp if (await transaction.execute(known)).first() else DeliveryUnknown

    async def retry_all(self) -> int:
        """Have all tried again that were given up; return how many."""
        async with self._database.write() as transaction:
            return (await transaction.execute(_again(self._clock.now()))).rowcount


_COLUMNS = (
    Delivery.id,
    EventRow.type.label("event"),
    Delivery.consumer,
    Delivery.lane,
    Delivery.state,
    Delivery.attempts,
    Delivery.due_at,
    Delivery.expires_at,
    Delivery.last_error,
)


def _again(now: datetime) -> Any:
    still = or_(Delivery.expires_at.is_(None), Delivery.expires_at > now)
    values = {"state": DUE, "due_at": now, "attempts": 0, "last_error": None}
    statement = update(Delivery).where(Delivery.state == FAILED, still).values(values)
    return statement.execution_options(synchronize_session=False)
