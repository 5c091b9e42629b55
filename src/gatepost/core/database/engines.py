"""Engines: how connections are made, and what each must be told first."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gatepost.core.database.sqlite_driver import connect_whole
from gatepost.core.database.tls import tls
from gatepost.core.errors import Stopped

__all__ = ["DatabaseOptions", "server_engine", "sqlite_path", "sqlite_writer"]

# How much longer than the longest statement a silent server is waited for, in seconds.
_SILENCE = 1.0


class DatabaseOptions(BaseModel):
    """How connections are made and how long anything may wait; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool_size: int = Field(
        10, ge=2, description="Connections kept open for changes, and as many again for reads."
    )
    pool_timeout: float = Field(2.0, gt=0, description="Longest wait for a free connection, in seconds.")
    connect_timeout: float = Field(5.0, gt=0, description="Longest wait for a new connection, in seconds.")
    statement_timeout: float = Field(5.0, gt=0, description="Longest run of one statement, in seconds.")
    lock_timeout: float = Field(3.0, gt=0, description="Longest wait for a lock, in seconds.")


def sqlite_path(url: URL) -> Path:
    """Return the file of an SQLite URL. Raises Stopped for an in-memory database."""
    if not url.database or url.database == ":memory:":
        raise Stopped(
            "An in-memory SQLite database cannot be shared by connections: give a file in GATEPOST_DATABASE_URL."
        )
    return Path(url.database)


def sqlite_writer(url: URL, options: DatabaseOptions) -> AsyncEngine:
    # One connection: writers of this process queue fairly in the pool instead of polling the file's lock.
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=1,
        max_overflow=0,
        pool_timeout=options.pool_timeout,
        hide_parameters=True,
        connect_args={"timeout": options.lock_timeout, "async_creator_fn": connect_whole},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def _make_private(*_: Any) -> None:
        _make_private_file(sqlite_path(url))

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        try:
            # The driver's own implicit BEGIN comes too late and loses updates: we emit BEGIN ourselves.
            connection.isolation_level = None
            _prepare_sqlite(connection, options)
        except BaseException:
            # The pool does not know it yet, and its thread would keep the process alive.
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _make_private_file(path: Path) -> None:
    """Make the file for its owner alone, if there is none; SQLite gives the files beside it the same mode.

    One that exists must not be opened here: closing it again would drop the locks of every connection that this process
    has to it (POSIX, fcntl), and the next process that closes the database would delete the log under us.
    """
    # What cannot be made SQLite reports itself, in words we translate.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, options: DatabaseOptions) -> None:
    """Set what every SQLite connection of ours needs. FULL: a commit that was answered survives a power cut.

    Raises Stopped where there is no write-ahead log: readers and the writer would lock each other out.
    """
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {int(options.lock_timeout * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
    ):
        answer = _answered(cursor, f"PRAGMA {pragma}", options.lock_timeout)
        if pragma.startswith("journal_mode") and answer[0][0] != "wal":
            raise Stopped(
                "SQLite cannot keep a write-ahead log there (a network drive?): choose a local disk in "
                "GATEPOST_DATABASE_URL."
            )
    cursor.close()


def _answered(cursor: Any, pragma: str, seconds: float) -> Any:
    """Return what a pragma answers, asking for so many seconds while the file is locked.

    Whoever turns the log on needs the file for itself, and SQLite does not wait for that by itself.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            cursor.execute(pragma)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        else:
            return cursor.fetchall()


def server_engine(url: URL, options: DatabaseOptions, *, autocommit: bool = False) -> AsyncEngine:
    settings = {
        "statement_timeout": str(int(options.statement_timeout * 1000)),
        "lock_timeout": str(int(options.lock_timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(options.statement_timeout * 4000)),
        "application_name": "gatepost",
        "jit": "off",
    }
    url, secured = tls(url)
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg") if url.drivername == "postgresql" else url,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.pool_timeout,
        hide_parameters=True,
        pool_use_lifo=True,
        connect_args={
            "timeout": options.connect_timeout,
            # The server's own limit comes first; this one is for a server that no longer answers at all.
            "command_timeout": options.statement_timeout + _SILENCE,
            "server_settings": settings,
            **secured,
        },
        **({"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True} if autocommit else {}),
    )
