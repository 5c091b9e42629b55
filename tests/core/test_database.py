"""The database as its users meet it: reads that hold up nobody, counts that never repeat, files of their owner."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import Engine, event, text

from gatepost import Gatepost, Settings
from gatepost.core.database import Database, DatabaseOptions, DatabaseUnavailable
from gatepost.core.database.sqlite_driver import WholeConnection
from gatepost.core.errors import Stopped
from gatepost.users import UserFilter, Users
from tests.conftest import open_client
from tests.make import Make

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

PEOPLE = text("SELECT email FROM users")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Without a worker: nobody else is at the database."""
    return settings.model_copy(update={"run_worker": False})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """Whatever is made now is readable by everybody, unless its maker says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def threads() -> Iterator[list[threading.Thread]]:
    """Fills with the threads in which lists are read."""
    seen: list[threading.Thread] = []

    def note(*execution: Any) -> None:
        if "ORDER BY" in execution[2]:
            seen.append(threading.current_thread())

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def locked(database: Database) -> sqlite3.Connection:
    """Lock the file against everybody, as the recovery after a crash does; closing it ends that."""
    holder = sqlite3.connect(str(database.url.database), isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("COMMIT")
    return holder


def modes_in(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


# ── the count of commits ─────────────────────────────────────────────────────────────────────────


@on_sqlite
async def test_the_count_stays_while_nobody_commits(database: Database) -> None:
    first = database.reads.version()
    await database.reads.rows(PEOPLE)

    assert first is not None
    assert database.reads.version() == first


@on_sqlite
async def test_the_count_of_a_reopened_reader_never_repeats(database: Database) -> None:
    seen = []
    for _ in range(3):
        seen.append(database.reads.version())
        await database.reads.close()

    assert len(set(seen)) == 3


async def test_a_gatepost_that_starts_again_forgets_what_it_remembered(
    settings: Settings, gatepost: Gatepost, make: Make, client: AsyncClient
) -> None:
    me = await make.signed_in()
    again = Gatepost(settings, clock=gatepost.clock)
    async with again.lifespan(), open_client(again) as door:
        await door.get("/users/me", headers=me.headers)
    await client.patch("/users/me", json={"name": "Ada"}, headers=me.headers)

    async with again.lifespan(), open_client(again) as door:
        read = await door.get("/users/me", headers=me.headers)

    assert read.json()["name"] == "Ada"


# ── reads hold up nobody ─────────────────────────────────────────────────────────────────────────


@on_sqlite
async def test_a_read_that_waits_for_a_lock_lets_the_others_go_on(database: Database) -> None:
    holder = locked(database)
    # Only a free event loop can end the wait.
    asyncio.get_running_loop().call_soon(holder.close)

    assert await database.reads.rows(PEOPLE) == []


@on_sqlite
async def test_under_a_lock_there_is_no_count(database: Database) -> None:
    holder = locked(database)
    under_lock = database.reads.version()
    holder.close()

    assert under_lock is None
    assert database.reads.version() is not None


async def test_a_scan_without_an_end_is_given_up(database_url: str) -> None:
    hasty = Database(database_url, DatabaseOptions(statement_timeout=0.05))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with pytest.raises(DatabaseUnavailable):
        await hasty.reads.scan(text(endless))

    assert len(await hasty.reads.scan(text("SELECT 1 AS one"))) == 1
    await hasty.close()


@on_postgresql
async def test_f08_searches_leave_connections_to_the_look_ups(database_url: str) -> None:
    """Half of the readers is kept for the look-ups behind every token and for the health check."""
    small = Database(database_url, DatabaseOptions(pool_size=2, pool_timeout=0.05, statement_timeout=60))
    slow = [asyncio.ensure_future(small.reads.scan(text("SELECT pg_sleep(60)"))) for _ in range(4)]
    refused, _ = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)

    assert isinstance(refused.pop().exception(), DatabaseUnavailable)
    await small.ping()
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    await small.close()


@on_sqlite
@pytest.mark.parametrize("warm", [False, True], ids=["opening", "open"])
async def test_a_write_that_is_cut_off_leaves_nothing_open_and_nothing_locked(
    database_url: str, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in turn at every word to the driver: the next one writes at once, with nothing left to collect."""
    said, cut_at, cut = 0, 0, asyncio.Event()
    told = WholeConnection._execute

    async def tell(self: WholeConnection, *what: Any, **how: Any) -> Any:
        nonlocal said
        said += 1
        if said == cut_at:
            asyncio.get_running_loop().call_soon(writing.cancel)
        return await told(self, *what, **how)

    async def write(database: Database) -> None:
        async with database.write() as transaction:
            await transaction.execute(text("UPDATE installation SET setup_done_at = NULL"))
            await transaction.execute(text("WITH n(i) AS (VALUES (1), (2), (3)) SELECT i FROM n"))

    monkeypatch.setattr(WholeConnection, "_execute", tell)
    while not cut.is_set():
        one, other = (Database(database_url, DatabaseOptions(lock_timeout=0.2)) for _ in range(2))
        said = -1_000
        if warm:
            await write(one)
        said, cut_at = 0, cut_at + 1
        writing = asyncio.create_task(write(one))
        with suppress(asyncio.CancelledError):
            await writing
            cut.set()
        said = -1_000
        gc.disable()
        try:
            await one.close()
            await write(other)
        finally:
            gc.enable()
        await other.close()
    assert cut_at > 4  # BEGIN, two statements, COMMIT
    gc.collect()  # what was left open would be a warning, and warnings are errors


async def test_scans_at_once_all_answer(database: Database) -> None:
    found = await asyncio.gather(*(database.reads.scan(text("SELECT 1 AS one")) for _ in range(5)))

    assert [rows[0].one for rows in found] == [1] * 5


@on_sqlite
async def test_a_list_of_people_leaves_the_event_loop_to_the_others(
    gatepost: Gatepost, make: Make, threads: list[threading.Thread]
) -> None:
    await make.user()

    page = await gatepost.build(Users, gatepost.reading()).page(UserFilter(is_active=True))

    assert len(page.items) == 1
    assert threads
    assert threading.main_thread() not in threads


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_file_is_its_owners_alone(tmp_path: Path, open_to_all: None) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    async with database.write() as transaction:
        await transaction.execute(text("CREATE TABLE things (id INTEGER)"))
    modes = await asyncio.to_thread(modes_in, tmp_path)
    await database.close()

    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


async def test_a_place_without_a_write_ahead_log_is_refused(tmp_path: Path) -> None:
    # This way of locking, made for network drives, shares no memory, which the log needs.
    database = Database(f"sqlite:///file:{tmp_path / 'far.db'}?vfs=unix-dotfile&uri=true")

    with pytest.raises(Stopped, match="write-ahead log"):
        async with database.write() as transaction:
            await transaction.execute(text("SELECT 1"))

    await database.close()


# ── a transaction's end ──────────────────────────────────────────────────────────────────────────


async def test_a_session_that_cannot_be_closed_keeps_no_connection(database: Database) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("closing failed")

    async def begin_and_leave() -> None:
        async with database.write() as transaction:
            await transaction.execute(text("SELECT 1"))
            await transaction.session.execute(text("SELECT 1"))
            event.listen(transaction.session.sync_session, "after_transaction_end", fail)
            raise ValueError("left")

    with pytest.raises(RuntimeError, match="closing failed"):
        await begin_and_leave()

    pool: Any = database.engine.pool
    assert pool.checkedout() == 0


# ── connections that are gone ────────────────────────────────────────────────────────────────────────


@on_postgresql
async def test_f04_a_change_finds_another_connection_when_the_kept_ones_are_gone(
    gatepost: Gatepost, make: Make, client: AsyncClient
) -> None:
    me = await make.signed_in()
    for _ in range(2):  # kept by both pools
        await client.patch("/users/me", json={"name": "Ada"}, headers=me.headers)
    everybody_else = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other = Database(gatepost.database.url.render_as_string(hide_password=False))
    await other.reads.rows(everybody_else)
    await other.close()

    answer = await client.patch("/users/me", json={"name": "Grace"}, headers=me.headers)

    assert (answer.status_code, answer.json().get("name")) == (200, "Grace")


# Another process, which has the database open for a moment.
READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT email, name FROM users").fetchall())
connection.close()
"""


@on_sqlite
async def test_another_process_that_closes_the_file_takes_no_commit_along(
    database: Database, make: Make
) -> None:
    """Closing any descriptor of a file drops all locks that the process has on it (POSIX, fcntl).

    Without them the next who closes the database takes itself for the last, and deletes the write-ahead log.
    """

    async def read_elsewhere() -> str:
        command = [sys.executable, "-c", READ, str(database.url.database)]
        ended = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
        return str(ended.stdout).strip()

    await database.reads.first(PEOPLE)
    for number in range(2):
        # The writer's connection is made while the reader's is open.
        await database.engine.dispose()
        async with database.write() as transaction:
            await transaction.execute(text(f"UPDATE users SET name = 'before {number}'"))
    assert await read_elsewhere() == "[]"

    person = await make.user("late@example.com")
    async with database.write() as transaction:
        await transaction.execute(text("UPDATE users SET name = 'after'"))

    assert await read_elsewhere() == str([(person.email, "after")])
