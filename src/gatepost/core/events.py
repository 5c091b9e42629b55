"""What happened, written in the transaction in which it happened: audit log and outbox in one."""

import dataclasses
import hmac
import json
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import Executable, ForeignKey, Index, LargeBinary, String, insert, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.ids import new_id
from gatepost.core.models import Base, SealedBytes
from gatepost.core.principal import ClientInfo
from gatepost.core.sealed import SealedColumn
from gatepost.core.secrets import KeyRing

__all__ = [
    "LANES",
    "SEALED",
    "Consumer",
    "Delivery",
    "Event",
    "EventLog",
    "EventRow",
    "Lane",
    "RecordedEvent",
    "Recorder",
]

Lane = Literal["default", "mail"]
"""Deliveries of one lane wait for no other's: a mail server that is slow must not hold up what else listens."""

LANES: tuple[Lane, ...] = ("default", "mail")


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


_SOURCE_BYTES = 8
_IS_DUE = text("state = 'due'")
_EXPIRES = text("expires_at IS NOT NULL")


class Delivery(Base):
    """One event on its way to one consumer; leased by the worker that holds it.

    `private` is what only the consumer may know: links, codes, the recipient. `source` stands for whom it is for, so
    that nobody's many deliveries hold up another's; it is a keyed digest. Both are erased when the delivery is settled.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_state_due_at", "state", "due_at"),
        Index("ix_deliveries_due", "lane", "due_at", postgresql_where=_IS_DUE, sqlite_where=_IS_DUE),
        Index("ix_deliveries_expires_at", "expires_at", postgresql_where=_EXPIRES, sqlite_where=_EXPIRES),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    consumer: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(String(500))
    # The version before knows no lanes, and may still record events.
    lane: Mapped[str] = mapped_column(String(20), server_default="default")
    private: Mapped[bytes | None] = mapped_column(SealedBytes)
    source: Mapped[bytes | None] = mapped_column(LargeBinary(_SOURCE_BYTES))
    expires_at: Mapped[datetime | None]


def _sealed_for(delivery: UUID) -> str:
    return f"deliveries.private:{delivery}"


SEALED = SealedColumn(Delivery.private, Delivery.id, _sealed_for)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class RecordedEvent:
    """An event as a consumer gets it. Delivery is at least once: `id` tells a repeat from a second event.

    `delivery` is the same in every try of one delivery to one consumer. `private` is what the consumer alone may
    know; it is in no log. Past `expires_at` the event is not delivered.
    """

    id: UUID
    type: str
    at: datetime
    subject: UUID | None
    actor: UUID | None
    data: Mapping[str, Any]
    delivery: UUID
    private: Mapping[str, Any] = field(default=_NOTHING, repr=False)
    expires_at: datetime | None = None


Wants = Callable[[Event, Mapping[str, Any]], bool]


def _everything(_event: Event, _private: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Consumer:
    """Someone who wants to know: a stable name, the event classes, what to run for each, and in which lane.

    `wants` is asked in the transaction in which an event is recorded, with what is private to it: without a delivery
    for what nobody needs to hear, the event costs the less. It must be quick, and may only look at what it is given.
    """

    name: str
    events: frozenset[type[Event]]
    run: Callable[[RecordedEvent], Awaitable[None]]
    lane: Lane = "default"
    wants: Wants = _everything

    def __init__(
        self,
        name: str,
        events: Iterable[type[Event]],
        run: Callable[[RecordedEvent], Awaitable[None]],
        lane: Lane = "default",
        wants: Wants = _everything,
    ) -> None:
        if lane not in LANES:
            raise ValueError(f"no lane {lane!r}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "events", frozenset(events))
        object.__setattr__(self, "run", run)
        object.__setattr__(self, "lane", lane)
        object.__setattr__(self, "wants", wants)


class EventLog:
    """Knows who listens to what; makes the deliveries of an event, and opens what is sealed in them."""

    def __init__(self, consumers: Sequence[Consumer], ring: KeyRing) -> None:
        self.consumers = {consumer.name: consumer for consumer in consumers}
        if len(self.consumers) != len(consumers):
            raise ValueError("two consumers bear the same name")
        self._ring = ring
        self._sources = ring.derive("sources of deliveries")

    def listeners(self, event: Event, private: Mapping[str, Any]) -> list[Consumer]:
        """Return the consumers of this event."""
        return [
            consumer
            for consumer in self.consumers.values()
            if type(event) in consumer.events and consumer.wants(event, private)
        ]

    def deliveries(self, noted: "_Noted", now: datetime) -> list[dict[str, Any]]:
        """Return a row for each consumer that listens."""
        source, listeners = self._source(noted), self.listeners(noted.event, noted.private)
        return [self._delivery(noted, consumer, source, now) for consumer in listeners]

    def open(self, delivery: UUID, sealed: bytes) -> Mapping[str, Any]:
        """Return what was sealed in a delivery. Raises Unsealable."""
        return json.loads(self._ring.open(sealed, _sealed_for(delivery)))

    def _delivery(self, noted: "_Noted", consumer: Consumer, source: bytes, now: datetime) -> dict[str, Any]:
        delivery = new_id()
        content = json.dumps(dict(noted.private)).encode() if noted.private else None
        return {
            "id": delivery,
            "event_id": noted.id,
            "consumer": consumer.name,
            "state": "due",
            "due_at": now,
            "attempts": 0,
            "last_error": None,
            "lane": consumer.lane,
            "private": None if content is None else self._ring.seal(content, _sealed_for(delivery)),
            "source": source,
            "expires_at": noted.expires_at,
        }

    def _source(self, noted: "_Noted") -> bytes:
        whom = noted.private.get("to") or noted.event.subject or noted.id
        return hmac.digest(self._sources, str(whom).casefold().encode(), "sha256")[:_SOURCE_BYTES]


@dataclass(frozen=True, slots=True)
class _Noted:
    """An event that happened if the unit of work commits."""

    id: UUID
    event: Event
    private: Mapping[str, Any]
    expires_at: datetime | None


_INSERT_EVENTS = insert(EventRow.__table__)  # ty: ignore[invalid-argument-type]
_INSERT_DELIVERIES = insert(Delivery.__table__)  # ty: ignore[invalid-argument-type]


Execute = Callable[[Executable, Any], Awaitable[Any]]


class Recorder:
    """Collects the events of one unit of work and writes them just before it commits."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._pending: list[_Noted] = []
        self.delivered: set[Lane] = set()
        self.outdated: set[str] = set()
        self.written: Sequence[Event] = ()

    def record(
        self, event: Event, *, private: Mapping[str, Any] | None = None, expires_at: datetime | None = None
    ) -> UUID:
        """Remember that this happened, if the unit of work commits; return the event's id.

        `private` (fit for JSON) goes to the consumers alone, sealed until they have it: no part of the log. Nobody is
        told of the event after `expires_at`.
        """
        noted = _Noted(new_id(), event, private or _NOTHING, expires_at)
        self._pending.append(noted)
        return noted.id

    @contextmanager
    def unheard(self) -> Generator[None]:
        """Forget what is recorded meanwhile."""
        before = len(self._pending)
        try:
            yield
        finally:
            del self._pending[before:]

    async def flush(self, execute: Execute, now: datetime, actor: UUID | None, client: ClientInfo) -> None:
        """Write what was recorded, and a delivery for each consumer that listens."""
        events: list[dict[str, Any]] = []
        deliveries: list[dict[str, Any]] = []
        for noted in self._pending:
            row = {
                "id": noted.id,
                "type": noted.event.type,
                "at": now,
                "subject": noted.event.subject,
                "actor": actor,
                "address": client.address,
                "user_agent": (client.user_agent or "")[:256] or None,
                "request_id": client.request_id,
                "data": noted.event.data(),
            }
            events.append(row)
            deliveries += self._log.deliveries(noted, now)
        written = [noted.event for noted in self._pending]
        self._pending.clear()
        if events:
            await execute(_INSERT_EVENTS, events)
        if deliveries:
            await execute(_INSERT_DELIVERIES, deliveries)
            self.delivered |= {row["lane"] for row in deliveries}
        self.outdated |= {topic for event in written if (topic := event.outdates()) is not None}
        self.written = written
