"""Events, somebody who listens to them, and what became of their deliveries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from gatepost import Event, Gatepost, RecordedEvent
from gatepost.core.events import Delivery
from gatepost.core.ids import new_id
from gatepost.core.outbox import LanePolicy, Outbox, Undeliverable


@dataclass(frozen=True, kw_only=True)
class Thing(Event):
    type: ClassVar[str] = "thing.happened"
    number: int
    other: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Unheard(Event):
    type: ClassVar[str] = "nobody.listens"


class Log:
    """A consumer that remembers, and fails where it is told to."""

    def __init__(self) -> None:
        self.got: list[RecordedEvent] = []
        self.poison: set[int] = set()
        self.refused: set[int] = set()
        self.stuck: set[int] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    async def run(self, event: RecordedEvent) -> None:
        await asyncio.sleep(0)
        self.meanwhile()
        if event.data["number"] in self.stuck:
            await asyncio.Event().wait()
        if event.data["number"] in self.refused:
            raise Undeliverable("refused", 550)
        if event.data["number"] in self.poison:
            raise RuntimeError("the consumer's own secret words")
        self.got.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.data["number"] for event in self.got]


Start = Callable[[], Awaitable[Gatepost]]
LEASE = LanePolicy(name="default").lease


async def happen(gatepost: Gatepost, *numbers: int) -> None:
    async with gatepost.work() as work:
        for number in numbers:
            work.events.record(Thing(subject=new_id(), number=number))


async def deliveries(gatepost: Gatepost) -> list[tuple[str, int, str | None]]:
    rows = await gatepost.database.reads.rows(
        select(Delivery.state, Delivery.attempts, Delivery.last_error).order_by(Delivery.id)
    )
    return [(row.state, row.attempts, row.last_error) for row in rows]


def outbox(gatepost: Gatepost, *policies: LanePolicy) -> Outbox:
    parts = (gatepost.database, gatepost.events, gatepost.clock, gatepost.log)
    return Outbox(*parts, policies) if policies else Outbox(*parts)
