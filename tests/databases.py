"""Throw-away PostgreSQL databases in the server that the run started."""

import asyncio
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from tests.services import POSTGRES_URL


@contextmanager
def postgres_database(template: str | None = None) -> Generator[str]:
    """Yield the URL of a new database, empty or copied from a template, and drop it afterwards."""
    name = f"gatepost_{uuid4().hex}"
    copied = f'TEMPLATE "{template}" STRATEGY file_copy' if template else ""
    execute(f'CREATE DATABASE "{name}" {copied}')
    try:
        yield make_url(os.environ[POSTGRES_URL]).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(statement: str) -> None:
    """Run a statement in the server's own database."""
    # In a loop of its own: fixtures that are not coroutines may run while the tests' loop stands.
    thread = threading.Thread(target=lambda: asyncio.run(_execute(statement)))
    thread.start()
    thread.join()


async def _execute(statement: str) -> None:
    dsn = (
        make_url(os.environ[POSTGRES_URL]).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
