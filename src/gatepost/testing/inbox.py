"""The mail that a service under test would have sent."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import delete, insert

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.ids import new_id
from gatepost.testing import queries
from gatepost.testing.models import MailRow
from gatepost.users import canonical_email

__all__ = ["Inbox", "Mail"]

MOST = 100
_LOOK_SECONDS = 0.05


class Mail(Protocol):
    """A message, as a transport gets it."""

    @property
    def to(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str | None: ...


class Inbox:
    """All mail of all processes: what a transport puts here is sent to nobody. Kept until it is emptied."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, mail: Mail) -> UUID:
        """Keep a message; return its id. It is there for every process when this returns."""
        row = {
            "id": new_id(),
            "recipient": mail.to,
            "recipient_canonical": _canonical(mail.to),
            "subject": mail.subject,
            "text": mail.text,
            "html": mail.html,
            "sent_at": self._clock.now(),
        }
        async with self._database.write() as transaction:
            await transaction.execute(insert(MailRow).values(row))
        return row["id"]

    async def send(self, mail: Mail) -> None:
        """Keep a message, in the place of a transport."""
        await self.put(mail)

    async def close(self) -> None:
        """Hold nothing open."""

    async def list(self, to: str | None = None, after: UUID | None = None) -> Sequence[Any]:
        """Return the mail to an address in any spelling, or to all: the newest first, at most a hundred."""
        recipient = None if to is None else _canonical(to)
        return await self._database.reads.rows(queries.mail(recipient, after, MOST))

    async def wait(self, seconds: float, to: str | None = None, after: UUID | None = None) -> Sequence[Any]:
        """Return the same as soon as there is any, at the latest after so many real seconds."""
        ends = asyncio.get_running_loop().time() + seconds
        while not (found := await self.list(to, after)):
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(_LOOK_SECONDS, left))
        return found

    async def empty(self, to: str | None = None) -> None:
        """Delete the mail to an address, or all."""
        statement = delete(MailRow)
        if to is not None:
            statement = statement.where(MailRow.recipient_canonical == _canonical(to))
        async with self._database.write() as transaction:
            await transaction.execute(statement)


def _canonical(address: str) -> str:
    try:
        return canonical_email(address)
    except ValueError:
        # Nobody has it, so it has no other spelling.
        return address
