"""The bench's own way into a subject's database: read one row, add many."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import asyncpg

Row = dict[str, Any]


class Store(Protocol):
    """A database of one subject, whatever its kind."""

    def row(self, table: str, column: str, value: object) -> Row:
        """Return the one row where the column has the value."""
        ...

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows that all have the same columns."""
        ...

    def execute(self, *statements: str) -> None:
        """Run statements outside a transaction."""
        ...

    def settle(self) -> None:
        """Do now the housekeeping that would otherwise disturb a measurement."""
        ...


class PostgresStore:
    """A database on the bench's PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def row(self, table: str, column: str, value: object) -> Row:
        """Return the one row where the column has the value."""

        async def fetch(connection: asyncpg.Connection) -> Row:
            found = await connection.fetchrow(f'SELECT * FROM "{table}" WHERE "{column}" = $1', value)
            return dict(found)

        return self._connected(fetch)

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows by COPY."""
        held = list(rows)

        async def copy(connection: asyncpg.Connection) -> None:
            records = [tuple(row.values()) for row in held]
            await connection.copy_records_to_table(table, records=records, columns=list(held[0]))

        self._connected(copy)

    def execute(self, *statements: str) -> None:
        """Run statements outside a transaction."""

        async def run(connection: asyncpg.Connection) -> None:
            for statement in statements:
                await connection.execute(statement)

        self._connected(run)

    def settle(self) -> None:
        """Vacuum, collect statistics, write everything out: no background process shall do it later."""
        self.execute("VACUUM ANALYZE", "CHECKPOINT")

    def _connected(self, act: Any) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self._url)
            try:
                return await act(connection)
            finally:
                await connection.close()

        return asyncio.run(run())


class SqliteStore:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def row(self, table: str, column: str, value: object) -> Row:
        """Return the one row where the column has the value."""
        connection = sqlite3.connect(self._path)
        connection.row_factory = sqlite3.Row
        try:
            return dict(
                connection.execute(f'SELECT * FROM "{table}" WHERE "{column}" = ?', (value,)).fetchone()
            )
        finally:
            connection.close()

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in one transaction."""
        held = list(rows)
        columns = ", ".join(f'"{name}"' for name in held[0])
        places = ", ".join("?" * len(held[0]))
        statement = f'INSERT INTO "{table}" ({columns}) VALUES ({places})'
        connection = sqlite3.connect(self._path)
        with connection:
            connection.executemany(statement, (tuple(row.values()) for row in held))
        connection.close()

    def execute(self, *statements: str) -> None:
        """Run statements outside a transaction."""
        connection = sqlite3.connect(self._path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def settle(self) -> None:
        """Empty the write-ahead log, where there is one."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
