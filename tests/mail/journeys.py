"""A small app whose events are told by mail, as the rooms above do it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from sqlalchemy import select

from gatepost import Consumer, Event, Gatepost, RecordedEvent, Settings
from gatepost.core.clock import Clock
from gatepost.core.events import Delivery
from gatepost.core.mail import Mail, Transport


class Listening(Protocol):
    """A mail server on this machine."""

    port: int


@dataclass(frozen=True, kw_only=True)
class LinkAsked(Event):
    type: ClassVar[str] = "link.asked"
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class PasswordTold(Event):
    type: ClassVar[str] = "password.told"


class Post:
    """The consumer: writes the mail of an event and hands it to the service's transport."""

    def __init__(self) -> None:
        self.transport: Transport | None = None

    async def run(self, event: RecordedEvent) -> None:
        assert self.transport is not None
        link = str(event.private.get("link", ""))
        await self.transport.send(
            Mail(
                id=event.delivery,
                to=event.private["to"],
                subject=event.type,
                text=f"{link}\n",
                html=f"<p>{link}</p>",
                kind="test",
            )
        )


def mailing(
    settings: Settings, clock: Clock, *others: Consumer, sink: Listening | None = None, **mail: Any
) -> Gatepost:
    """Return a service whose worker runs when it is told to, and sends to the sink."""
    changed: dict[str, Any] = {"run_worker": False}
    if sink is not None:
        url = f"smtp://127.0.0.1:{sink.port}?starttls=never"
        mail = {"sender": "no-reply@shop.example", "per_second": 100_000, **mail}
        changed |= {"mail_url": url, "mail": mail}
    values = {**settings.model_dump(exclude_unset=True), **changed}
    post = Post()
    consumers = [Consumer("post", {LinkAsked, PasswordTold}, post.run, "mail"), *others]
    gatepost = Gatepost(Settings(_env_file=None, **values), clock=clock, consumers=consumers)
    post.transport = gatepost.mail
    return gatepost


async def ask(
    gatepost: Gatepost, *to: str, lasts: timedelta | None = None, event: type[Event] = LinkAsked
) -> None:
    """Record an event for each address, whose mail has a link that ends."""
    expires_at: datetime | None = gatepost.clock.now() + lasts if lasts else None
    async with gatepost.work() as work:
        for number, address in enumerate(to):
            private = {"to": address, "link": f"https://shop.example/{number}"}
            work.events.record(event(subject=None), private=private, expires_at=expires_at)


async def states(gatepost: Gatepost) -> dict[str, int]:
    """Return how many deliveries are in which state."""
    counted: dict[str, int] = {}
    for row in await gatepost.database.reads.scan(select(Delivery.state)):
        counted[row.state] = counted.get(row.state, 0) + 1
    return counted


async def kept(gatepost: Gatepost) -> int:
    """Return how many deliveries still hold something private."""
    return len(await gatepost.database.reads.scan(select(Delivery.id).where(Delivery.private.is_not(None))))
