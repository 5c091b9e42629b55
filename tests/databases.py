"""Throw-away PostgreSQL databases in the server that the run started."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from gatepost.migrations import VERSION_TABLE
from tests.services import POSTGRES_URL

__all__ = ["Shelf", "execute", "postgres_database"]

# What a schema is made of, and what was said of this database alone. Tests that change any of it take theirs along.
_SHAPE = f"""
SELECT md5(string_agg(part, E'\\n' ORDER BY part)) FROM (
    SELECT format('%s %s %s %s', relkind, relname, relowner::regrole, reloptions)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid >= 16384
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT nspname FROM pg_namespace
    UNION ALL SELECT extname FROM pg_extension
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT format('%s analysed', starelid::regclass) FROM pg_statistic WHERE starelid >= 16384
    UNION ALL SELECT format('%s %s', datname, datconnlimit) FROM pg_database WHERE datname = 'postgres'
    UNION ALL SELECT version_num FROM {VERSION_TABLE}
) AS parts (part)
"""
# A table that was made anew costs files, which take longer than the few rows that most tests make.
_EMPTY = f"""
DO $$ DECLARE each record; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT oid::regclass AS name, pg_relation_size(oid) > 65536 AS large FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '{VERSION_TABLE}' LOOP
        IF each.large THEN EXECUTE format('TRUNCATE %s CASCADE', each.name);
        ELSE EXECUTE format('DELETE FROM %s', each.name); END IF;
    END LOOP;
    FOR each IN SELECT oid::regclass AS name FROM pg_class
            WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER SEQUENCE %s RESTART', each.name);
    END LOOP;
END $$
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@contextmanager
def postgres_database() -> Generator[str]:
    """Yield the URL of a new and empty database, and drop it afterwards."""
    name = _new_name()
    execute(f'CREATE DATABASE "{name}"')
    try:
        yield _url(name)
    finally:
        _drop(name)


class Shelf:
    """Migrated databases, copied from a template. To copy one takes longer than most tests, so they come back.

    What comes back is emptied; what a test has made of another shape is dropped.
    """

    def __init__(self, template: str) -> None:
        """Give it the name of a migrated database."""
        self._template = template
        self._free: list[str] = []
        self._shape, self._rows = _wait_for(lambda: _in(template, _as_migrated))

    @contextmanager
    def taken(self) -> Generator[str]:
        """Yield the URL of a database that holds nothing but its schema."""
        name = self._free.pop() if self._free else self._copied()
        try:
            yield _url(name)
        finally:
            if _wait_for(lambda: _in(name, self._is_as_it_was)):
                self._free.append(name)
            else:
                _drop(name)

    def clear(self) -> None:
        """Drop all."""
        while self._free:
            _drop(self._free.pop())

    def _copied(self) -> str:
        name = _new_name()
        execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY file_copy')
        return name

    async def _is_as_it_was(self, connection: asyncpg.Connection) -> bool:
        await connection.execute(_END_OTHERS)
        if await _shape(connection) != self._shape:
            return False
        await connection.execute(_EMPTY)
        for table, rows in self._rows.items():
            await connection.execute(
                f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1)", rows
            )
        return True


async def _as_migrated(connection: asyncpg.Connection) -> tuple[str | None, dict[str, str]]:
    """Return the shape of a migrated database, and the rows that migrations have made, by table."""
    rows: dict[str, str] = {}
    tables = "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relname <> $1"
    for table in await connection.fetch(f"{tables} AND relnamespace = 'public'::regnamespace", VERSION_TABLE):
        name = table["name"]
        found = await connection.fetchval(f"SELECT jsonb_agg(to_jsonb(each)) FROM {name} AS each")
        if found is not None:
            rows[name] = found
    return await _shape(connection), rows


async def _shape(connection: asyncpg.Connection) -> str | None:
    try:
        return await connection.fetchval(_SHAPE)
    except asyncpg.UndefinedTableError:
        return None


def execute(statement: str) -> None:
    """Run a statement in the server's own database."""

    async def run(connection: asyncpg.Connection) -> None:
        await connection.execute(statement)

    _wait_for(lambda: _in("postgres", run))


def _new_name() -> str:
    return f"gatepost_{uuid4().hex}"


def _drop(name: str) -> None:
    execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _url(name: str) -> str:
    return make_url(os.environ[POSTGRES_URL]).set(database=name).render_as_string(hide_password=False)


def _wait_for[T](begin: Callable[[], Coroutine[None, None, T]]) -> T:
    # In a loop of its own: fixtures that are not coroutines may run while the tests' loop stands.
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(begin())))
    thread.start()
    thread.join()
    return found[0]


async def _in[T](name: str, do: Callable[[asyncpg.Connection], Coroutine[None, None, T]]) -> T:
    async with _connected(name) as connection:
        return await do(connection)


@asynccontextmanager
async def _connected(name: str) -> AsyncGenerator[asyncpg.Connection]:
    url = make_url(os.environ[POSTGRES_URL]).set(drivername="postgresql", database=name)
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        yield connection
    finally:
        await connection.close()
