"""SQLite's driver for the writer: its thread finishes what it was told, whoever waited for it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, Self

import aiosqlite

__all__ = ["WholeConnection", "WholeCursor", "connect_whole"]

Row = tuple[Any, ...]


class WholeCursor:
    """A cursor that takes one trip to the thread for a statement, and brings all rows back.

    The driver's own takes four: to be made, to run, to fetch and to be closed. Each costs as much as a small
    statement. It is closed as soon as its rows are read, so that it holds no lock.
    """

    arraysize = 1

    def __init__(self, connection: "WholeConnection") -> None:
        self._connection = connection
        self._rows: list[Row] = []
        self.description: Sequence[Any] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        """Run one statement, to its last row."""
        await self._run(sqlite3.Cursor.execute, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Run one statement for each of these."""
        await self._run(sqlite3.Cursor.executemany, sql, parameters)
        return self

    async def fetchone(self) -> Row | None:
        """Return the next row."""
        return self._rows.pop(0) if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return the next rows."""
        taken = self._rows[: size or self.arraysize]
        del self._rows[: len(taken)]
        return taken

    async def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; the real cursor is closed already."""
        self._rows = []

    async def _run(self, method: Callable[..., Any], sql: str, parameters: Iterable[Any]) -> None:
        def run(connection: sqlite3.Connection) -> None:
            with closing(connection.cursor()) as cursor:
                method(cursor, sql, parameters)
                self._rows = cursor.fetchall()
                # Of a statement with RETURNING, known only after its last row.
                self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
                self.description = cursor.description

        await self._connection.run(run)


class WholeConnection(aiosqlite.Connection):
    """A connection of which no task that is cancelled leaves a half behind.

    The driver's own forgets what its thread goes on with: a file that is being opened stays open, and a statement that
    runs holds the lock, until the garbage is collected. Here the cancellation comes a moment later: when the thread is
    done.
    """

    async def _connect(self) -> "WholeConnection":
        opening = asyncio.ensure_future(super()._connect())
        try:
            await _to_the_end(opening)
        except asyncio.CancelledError:
            with suppress(Exception):
                await self.close()
            raise
        return self

    def cursor(self) -> Any:
        """Return a cursor of ours."""
        return WholeCursor(self)

    async def run(self, act: Callable[[sqlite3.Connection], None]) -> None:
        """Have the thread do this with the connection."""
        await self._execute(act, self._connection)

    async def rollback(self) -> None:
        """Undo what is open. After a commit, where the pool asks too, there is nothing to go to the thread for."""
        if self.in_transaction:
            await super().rollback()

    async def close(self) -> None:
        """End the transaction, and close the connection.

        SQLite keeps one open, with its lock, for as long as there is a cursor that was not read to the end.
        """
        with suppress(Exception):
            await self.rollback()
        await super().close()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or not self._connection:
            raise ValueError("Connection closed")  # the driver's words, which SQLAlchemy knows
        told = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((told, partial(fn, *args, **kwargs)))
        return await _to_the_end(told)


async def _to_the_end[T](future: "asyncio.Future[T]") -> T:
    """Return the result. Who is cancelled meanwhile is so when there is one."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # nobody is left to tell
        raise


def connect_whole(database: str, **options: Any) -> WholeConnection:
    """Return what opens the connection when it is awaited. Its thread does not keep the process alive."""
    connection = WholeConnection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001  as SQLAlchemy does to the driver's own
    return connection
