"""One user read by primary key, over and over, on one connection: prints how many, and our CPU seconds.

Arguments: a PostgreSQL URL or a path of a SQLite file, and for how many seconds.
"""

import asyncio
import json
import random
import sqlite3
import sys
import time

import asyncpg

ROWS = 100_000

_COLUMNS = "id, email, email_canonical, name, locale, is_active, is_verified, version, created_at, updated_at"

_TABLE = """
CREATE TABLE users (
    id integer PRIMARY KEY, email text NOT NULL, email_canonical text NOT NULL, name text, locale text,
    is_active boolean NOT NULL, is_verified boolean NOT NULL, version integer NOT NULL,
    created_at {time} NOT NULL, updated_at {time} NOT NULL
)"""

_FILL = """
INSERT INTO users
SELECT n, 'user' || n || '@example.com', 'user' || n || '@example.com', NULL, NULL,
       true, false, 1, {now}, {now}
FROM {numbers}"""


async def make_on_postgresql(url: str) -> None:
    """Create and fill the table."""
    connection = await asyncpg.connect(url)
    await connection.execute(_TABLE.format(time="timestamptz"))
    await connection.execute(_FILL.format(now="now()", numbers=f"generate_series(1, {ROWS}) AS n"))
    await connection.execute("VACUUM ANALYZE users")
    await connection.close()


def make_on_sqlite(path: str) -> None:
    """Create and fill the table."""
    counting = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {ROWS})"
    fill = _FILL.format(now="datetime('now')", numbers="c")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_TABLE.format(time="text"))
        connection.execute(fill.replace("INSERT INTO users", f"INSERT INTO users {counting}", 1))
    connection.close()


async def on_postgresql(url: str, seconds: float) -> dict[str, float]:
    """Select by a prepared statement on a held connection."""
    connection = await asyncpg.connect(url)
    statement = await connection.prepare(f"SELECT {_COLUMNS} FROM users WHERE id = $1")
    count, began, deadline = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        await statement.fetchrow(random.randint(1, ROWS))
        count += 1
    used = time.process_time() - began
    await connection.close()
    return {"selects": count, "cpu_seconds": used}


def on_sqlite(path: str, seconds: float) -> dict[str, float]:
    """Select on a held connection, whose cache of statements keeps the prepared one."""
    connection = sqlite3.connect(path)
    select = f"SELECT {_COLUMNS} FROM users WHERE id = ?"
    count, began, deadline = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.execute(select, (random.randint(1, ROWS),)).fetchone()
        count += 1
    used = time.process_time() - began
    connection.close()
    return {"selects": count, "cpu_seconds": used}


if __name__ == "__main__":
    _, place, duration = sys.argv
    if place.startswith("postgresql:"):
        print(json.dumps(asyncio.run(on_postgresql(place, float(duration)))))
    else:
        print(json.dumps(on_sqlite(place, float(duration))))
