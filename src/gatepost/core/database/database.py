"""One database, and the only place that decides whether a transaction commits."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.core.database.engines import DatabaseOptions, server_engine, sqlite_path, sqlite_writer
from gatepost.core.database.faults import translated
from gatepost.core.database.readers import InlineReader, PooledReader, Reader
from gatepost.core.database.transactions import Transaction
from gatepost.core.deadline import lift_deadline
from gatepost.core.errors import DomainError, TransactionConflict

__all__ = ["Database"]

BeforeCommit = Callable[[Transaction], Awaitable[None]]


class Database:
    """One database, opened on first use. `write()` is the only place that commits."""

    def __init__(self, url: str, options: DatabaseOptions | None = None) -> None:
        self.url = make_url(url)
        self.options = options or DatabaseOptions()
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._closing: set[asyncio.Future[None]] = set()
        self.engine: AsyncEngine
        self.reads: Reader
        if self.is_sqlite:
            path = sqlite_path(self.url)
            self.engine = sqlite_writer(self.url, self.options)
            self.reads = InlineReader(path, self.options)
        else:
            self.engine = server_engine(self.url, self.options)
            # A second pool: token checks and health never queue behind slow changes.
            self.reads = PooledReader(server_engine(self.url, self.options, autocommit=True), self.options)

    @asynccontextmanager
    async def write(self, before_commit: BeforeCommit | None = None) -> AsyncGenerator[Transaction]:
        """Yield a transaction; commit at the end, also when a DomainError asks to keep the changes.

        Nothing is locked before the first statement. Raises TransactionConflict when the database
        undid the transaction for another's sake, DatabaseUnavailable when it cannot be used.
        """
        with translated():
            transaction = Transaction(self.engine)
            try:
                try:
                    with _undone_if_cut_off():
                        yield transaction
                except DomainError as error:
                    if error.keep_changes:
                        await _finish(transaction, before_commit)
                    raise
                await _finish(transaction, before_commit)
            finally:
                # Shielded: a request that is cancelled must not leave its connection behind.
                closing = asyncio.ensure_future(transaction.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
                await asyncio.shield(closing)

    async def ping(self) -> None:
        """Run the smallest query. Raises DatabaseUnavailable."""
        await self.reads.first(text("SELECT 1"))

    def pools(self) -> dict[str, tuple[int, int]]:
        """Return how many connections of each pool are at work, and how many may be."""
        writes: Any = self.engine.pool
        found = {"changes": (int(writes.checkedout()), int(writes.size()))}
        if isinstance(self.reads, PooledReader):
            found["reads"] = (self.reads.in_use, self.reads.limit)
        return found

    async def close(self) -> None:
        """Give back every connection, also those that somebody who was cancelled is still giving back."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self.engine.dispose()
        await self.reads.close()


async def _finish(transaction: Transaction, before_commit: BeforeCommit | None) -> None:
    if before_commit is not None:
        with _undone_if_cut_off():
            await before_commit(transaction)
    lift_deadline()
    await transaction.commit()


@contextmanager
def _undone_if_cut_off() -> Generator[None]:
    """Let the unit be run again when its connection is lost before the commit was sent: nothing of it remains.

    Of a commit that was sent nobody can say so.
    """
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransactionConflict("connection lost") from error
        raise
