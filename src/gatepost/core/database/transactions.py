"""Transactions: one of our own on one connection, or a part in somebody else's."""

from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

__all__ = ["JoinedTransaction", "Transaction"]


class Transaction:
    """One transaction on one connection, which is taken from the pool at the first statement.

    `execute` runs a Core statement without the ORM's cost; `session` is the ORM on the same connection.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._own: AsyncConnection | None = None
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """The ORM session of this transaction."""
        if self._session is None:
            self._session = AsyncSession(self._own or self._engine, expire_on_commit=False)
        return self._session

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a Core statement. What the ORM has pending is not flushed first."""
        if self._own is not None:
            connection = self._own
        elif self._session is not None:
            connection = await self._session.connection()
        else:
            connection = self._own = await self._engine.connect()
        return await connection.execute(statement, parameters)

    async def commit(self) -> None:
        """Make the changes durable."""
        if self._session is not None:
            await self._session.commit()
        if self._own is not None:
            await self._own.commit()

    async def close(self) -> None:
        """Undo what was not committed and give the connection back."""
        try:
            if self._session is not None:
                await self._session.close()
        finally:
            if self._own is not None:
                await self._own.close()


class JoinedTransaction:
    """Takes part in a transaction that somebody else commits."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a Core statement."""
        result: Any = await self.session.execute(statement, parameters)
        return result
