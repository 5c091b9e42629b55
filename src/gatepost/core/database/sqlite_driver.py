"""SQLite's driver for the writer: its thread finishes what it was told, whoever waited for it."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import aiosqlite

__all__ = ["WholeConnection", "connect_whole"]


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
