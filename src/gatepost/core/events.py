"""What happened, written in the transaction in which it happened: audit log and outbox in one."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Executable, ForeignKey, Index, String, insert
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.ids import new_id
from gatepost.core.models import Base
from gatepost.core.principal import ClientInfo

__all__ = ["Consumer", "Delivery", "Event", "EventLog", "EventRow", "RecordedEvent", "Recorder"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact about `subject`, named `subject.action` in the past tense. Further fields become its data.

    Fields never hold secrets or addresses of mail: rows are kept after the person is erased.
    """

    type: ClassVar[str]
    changes_caller: ClassVar[bool] = False
    """Whether `subject` is somebody else to the service afterwards, or may do other things."""
    subject: UUID | None

    def outdates(self) -> str | None:
        """Name what every process must forget before this is acknowledged; None: nothing."""
        return str(self.subject) if self.changes_caller else None

    def data(self) -> dict[str, Any]:
        """Return the fields beside `subject`, fit for JSON."""
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name != "subject"
        }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


class EventRow(Base):
    """One event; append-only."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_subject_at", "subject", "at"),
        Index("ix_events_type_at", "type", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    subject: Mapped[UUID | None]
    actor: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    request_id: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]


class Delivery(Base):
    """One event on its way to one consumer; leased by the worker that holds it."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_due_at", "state", "due_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    consumer: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(String(500))


@dataclass(frozen=True)
class RecordedEvent:
    """An event as a consumer gets it. `id` is the idempotency key: delivery is at least once."""

    id: UUID
    type: str
    at: datetime
    subject: UUID | None
    actor: UUID | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Consumer:
    """Someone who wants to know: a stable name, the event classes, and what to run for each."""

    name: str
    events: frozenset[type[Event]]
    run: Callable[[RecordedEvent], Awaitable[None]]

    def __init__(
        self, name: str, events: Iterable[type[Event]], run: Callable[[RecordedEvent], Awaitable[None]]
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "events", frozenset(events))
        object.__setattr__(self, "run", run)


class EventLog:
    """Knows who listens to what; makes the recorder of a unit of work."""

    def __init__(self, consumers: Sequence[Consumer] = ()) -> None:
        self.consumers = {consumer.name: consumer for consumer in consumers}
        if len(self.consumers) != len(consumers):
            raise ValueError("two consumers bear the same name")

    def listeners(self, event: Event) -> list[str]:
        """Return the names of the consumers of this event."""
        return [name for name, consumer in self.consumers.items() if type(event) in consumer.events]


_INSERT_EVENTS = insert(EventRow.__table__)  # ty: ignore[invalid-argument-type]
_INSERT_DELIVERIES = insert(Delivery.__table__)  # ty: ignore[invalid-argument-type]


Execute = Callable[[Executable, Any], Awaitable[Any]]


class Recorder:
    """Collects the events of one unit of work and writes them just before it commits."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._pending: list[tuple[UUID, Event]] = []
        self.delivered = False
        self.outdated: set[str] = set()
        self.written: Sequence[Event] = ()

    def record(self, event: Event) -> UUID:
        """Remember that this happened, if the unit of work commits; return the event's id."""
        event_id = new_id()
        self._pending.append((event_id, event))
        return event_id

    async def flush(self, execute: Execute, now: datetime, actor: UUID | None, client: ClientInfo) -> None:
        """Write what was recorded, and a delivery for each consumer that listens."""
        events: list[dict[str, Any]] = []
        deliveries: list[dict[str, Any]] = []
        for event_id, event in self._pending:
            row = {
                "id": event_id,
                "type": event.type,
                "at": now,
                "subject": event.subject,
                "actor": actor,
                "address": client.address,
                "user_agent": (client.user_agent or "")[:256] or None,
                "request_id": client.request_id,
                "data": event.data(),
            }
            events.append(row)
            deliveries += [_delivery(row["id"], name, now) for name in self._log.listeners(event)]
        outdated = {topic for _, event in self._pending if (topic := event.outdates()) is not None}
        written = [event for _, event in self._pending]
        self._pending.clear()
        if events:
            await execute(_INSERT_EVENTS, events)
        if deliveries:
            await execute(_INSERT_DELIVERIES, deliveries)
            self.delivered = True
        self.outdated |= outdated
        self.written = written


def _delivery(event_id: UUID, consumer: str, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "event_id": event_id,
        "consumer": consumer,
        "state": "due",
        "due_at": now,
        "attempts": 0,
        "last_error": None,
    }
