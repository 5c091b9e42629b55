"""Reading committed state, one statement at a time: over a pool of its own, or in place on SQLite."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, CursorResult, Engine, Executable, Row, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool, Pool, StaticPool

from gatepost.core.database.engines import DatabaseOptions
from gatepost.core.database.faults import DatabaseUnavailable, translated

__all__ = ["InlineReader", "PooledReader", "Reader"]

Parameters = Mapping[str, Any]

# How long a read may hold up the event loop for a lock, in seconds. A writer does not lock readers out; the
# recovery after a crash does.
_BUSY = 0.05
# How many steps of its machine SQLite takes between two looks at the clock: less than a millisecond.
_STEPS = 10_000


class Reader(Protocol):
    """Reads committed state, one statement at a time; never locks, never joins a transaction."""

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """Return all rows."""
        ...

    async def first(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        """Return the first row, or None."""
        ...

    async def scan(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """Return all rows of a statement that no index bounds: it may take long, and holds up nobody else."""
        ...

    def version(self) -> int | None:
        """Return a number that changes whenever anybody commits; None where the database cannot tell."""
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...


class PooledReader:
    """Reads in autocommit, one round trip a statement, over connections that are kept open.

    The connections are handed from task to task as they are: going through the engine's own pool for each
    statement would cost as much again as the statement. Scans get half of them at most, so that the look-ups
    behind every token and the health check never wait for somebody's long search.
    """

    def __init__(self, engine: AsyncEngine, options: DatabaseOptions) -> None:
        self._engine = engine
        self._free: list[AsyncConnection] = []
        self._slots = asyncio.Semaphore(options.pool_size)
        self._scans = asyncio.Semaphore(options.pool_size // 2)
        self._timeout = options.pool_timeout
        self.limit = options.pool_size
        self.in_use = 0

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        return (await self._run(statement, parameters)).all()

    async def first(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        return (await self._run(statement, parameters)).first()

    async def scan(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        async with self._place(self._scans):
            return await self.rows(statement, parameters)

    def version(self) -> None:
        return None

    @asynccontextmanager
    async def _place(self, places: asyncio.Semaphore) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                await places.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable from error
        try:
            yield
        finally:
            places.release()

    async def _run(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        async with self._place(self._slots):
            self.in_use += 1
            try:
                return await self._attempt(statement, parameters)
            except DatabaseUnavailable as error:
                # Kept connections die with a restarted server: one fresh try. Reading twice is harmless.
                if not (isinstance(error.__cause__, DBAPIError) and error.__cause__.connection_invalidated):
                    raise
                await self._forget()
                return await self._attempt(statement, parameters)
            finally:
                self.in_use -= 1

    async def _attempt(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        with translated():
            connection = self._free.pop() if self._free else await self._engine.connect()
            try:
                result = await connection.execute(statement, parameters)
            except BaseException:
                # Whatever state it is in, nobody shall inherit it; also when the task was cancelled.
                await asyncio.shield(_discard(connection))
                raise
            self._free.append(connection)
            return result

    async def _forget(self) -> None:
        while self._free:
            await _discard(self._free.pop())

    async def close(self) -> None:
        await self._forget()
        await self._engine.dispose()


async def _discard(connection: AsyncConnection) -> None:
    with suppress(Exception):
        await connection.invalidate()
        await connection.close()


class InlineReader:
    """Reads SQLite on the event loop itself, without the thread hops that cost more than the query.

    Every result is taken whole before anything else can run, so one connection serves all tasks and
    each statement sees the latest commit. See docs/decisions/0003.
    """

    def __init__(self, path: Path, options: DatabaseOptions) -> None:
        self._path = path
        self._options = options
        self._connection: Connection | None = None
        self._raw: sqlite3.Connection
        self._opened = 0
        # A connection for each scan: one whose caller went away may still run when the next begins.
        self._scans = self._engine(lambda: self._connect(options.lock_timeout), NullPool)
        self._scanning = asyncio.Lock()

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        return (await self._run(statement, parameters)).all()

    async def first(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        return (await self._run(statement, parameters)).first()

    async def scan(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        def run() -> Sequence[Row[Any]]:
            with translated(), self._scans.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.set_progress_handler(_over(self._options.statement_timeout), _STEPS)
                return connection.execute(statement, parameters).all()

        async with self._scanning:
            return await asyncio.to_thread(run)

    def version(self) -> int | None:
        """Return a number that changes with every commit of others, in any process, and with every reopening.

        Each connection counts for itself, so a count says nothing beside that of another connection.
        """
        try:
            with translated():
                self._open()
                count = self._raw.execute("PRAGMA data_version").fetchone()[0]
        except DatabaseUnavailable as error:
            if _is_busy(error.__cause__):
                return None
            raise
        return self._opened << 32 | count

    async def _run(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        with translated():
            for _ in range(int(self._options.lock_timeout / (2 * _BUSY))):
                try:
                    return self._open().execute(statement, parameters)
                except OperationalError as error:
                    if not _is_busy(error):
                        raise
                # The rest of the wait is not the event loop's.
                await asyncio.sleep(_BUSY)
            return self._open().execute(statement, parameters)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine(self._reopen, StaticPool).connect()
        return self._connection

    def _reopen(self) -> sqlite3.Connection:
        self._raw = self._connect(_BUSY)
        self._opened += 1
        return self._raw

    def _connect(self, timeout: float) -> sqlite3.Connection:
        # Not mode=ro: the first reader after a crash has to be able to recover the write-ahead log.
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=timeout,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _engine(self, connect: Callable[[], sqlite3.Connection], pool: type[Pool]) -> Engine:
        return create_engine(
            "sqlite://",
            creator=connect,
            poolclass=pool,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection.engine.dispose()
            self._connection = None


def _over(seconds: float) -> Callable[[], bool]:
    """Return what tells SQLite, while it works, whether its time is over; it then gives up."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _is_busy(error: BaseException | None) -> bool:
    # SQLAlchemy wraps the driver's error, sqlite3's own comes bare.
    bare = error.orig if isinstance(error, OperationalError) else error
    return isinstance(bare, sqlite3.OperationalError) and bare.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
