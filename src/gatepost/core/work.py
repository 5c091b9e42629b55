"""One unit of work: what a service may use while it makes one change, or none."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost.core.clock import Clock
from gatepost.core.database import JoinedTransaction, Reader, Transaction
from gatepost.core.events import Recorder
from gatepost.core.principal import ClientInfo, Principal

__all__ = ["UNIT_TRIES", "Run", "Work", "pause_before_next"]

UNIT_TRIES = 6
"""How often a unit of work is run that the database undoes for another's sake."""
_LONGEST_PAUSE = 0.4  # seconds


def pause_before_next(attempt: int) -> float:
    """Return how many seconds to wait after a try, the first being 0: at random, so that two do not meet again."""
    return random.uniform(0, min(0.02 * 2**attempt, _LONGEST_PAUSE))  # noqa: S311  jitter, not a secret


@dataclass(slots=True)
class Work:
    """The transaction, the facts recorded in it, and who is behind it.

    `read` sees committed state and never locks; `session` and `execute` belong to the transaction, which begins at
    its first statement. Slow work (hashing, network) comes before that.
    """

    read: Reader
    events: Recorder
    clock: Clock
    client: ClientInfo = field(default_factory=ClientInfo)
    actor: Principal | None = None
    _transaction: Transaction | JoinedTransaction | None = None

    @property
    def session(self) -> AsyncSession:
        """The ORM session of the transaction. A unit that was opened for reading has none."""
        return self._open.session

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a Core statement in the transaction; on hot paths, where the ORM would cost too much."""
        return await self._open.execute(statement, parameters)

    @property
    def _open(self) -> Transaction | JoinedTransaction:
        if self._transaction is None:
            raise RuntimeError("this unit of work was opened for reading")
        return self._transaction

    def join(self, transaction: Transaction | JoinedTransaction) -> None:
        """Take part in this transaction."""
        self._transaction = transaction

    @asynccontextmanager
    async def undone(self) -> AsyncGenerator[None]:
        """Do work that is undone at the end: for whoever measures us it was done, and nothing is left of it."""
        savepoint = await self.session.begin_nested()
        try:
            with self.events.unheard():
                yield
        finally:
            await savepoint.rollback()

    @property
    def now(self) -> datetime:
        """The current time in UTC."""
        return self.clock.now()

    async def flush_events(self, transaction: Transaction | JoinedTransaction) -> None:
        """Write the recorded events into the transaction."""
        actor = self.actor.subject if self.actor else None
        await self.events.flush(transaction.execute, self.now, actor, self.client)


class Run(Protocol):
    """Runs a whole unit of work, again when the database undid it for another's sake."""

    async def __call__[T](self, act: Callable[[Work], Awaitable[T]]) -> T:
        """Return what the act returned. Raises Unavailable."""
        ...
