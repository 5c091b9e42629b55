"""`command` runs a command line in this process, by the same door as the real one: `gatepost.cli.main`."""

import asyncio
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gatepost.cli import main
from gatepost.core.database import Database
from tests.databases import postgres_database
from tests.processes import environment, free_port
from tests.services import missing_reason


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Command:
    """Runs commands with settings of their own; `settings` are the environment's."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.settings = dict(settings)

    def __call__(self, *arguments: str, stdin: str = "", **settings: str) -> Outcome:
        wanted = environment(self.directory, {**self.settings, **settings})
        if arguments[:1] == ("serve",):
            # The port that is the default may be somebody else's, here and now.
            wanted.setdefault("PORT", str(free_port()))
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.chdir(self.directory)
            patch.setattr(sys, "argv", ["gatepost", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            return _in_a_thread(_run)


def _run() -> Outcome:
    code = 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Outcome(code, out.getvalue(), err.getvalue())


def _in_a_thread[T](act: Callable[[], T]) -> T:
    # Commands run a loop of their own, which cannot be inside a test's.
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def alone(tmp_path: Path) -> Command:
    """Runs commands in an empty directory, without a database."""
    return Command(tmp_path, {})


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    """Runs commands on this test's migrated database."""
    return Command(tmp_path, {"GATEPOST_DATABASE_URL": database_url, "GATEPOST_ENVIRONMENT": "test"})


@pytest.fixture
def empty_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database without a schema."""
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with postgres_database() as url:
        yield url


@pytest.fixture
def newer_database(database_url: str) -> str:
    """The URL of a database that a later version has migrated."""

    async def migrate() -> None:
        database = Database(database_url)
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE gatepost_version SET version_num = '9999'"))
        await database.close()

    _in_a_thread(lambda: asyncio.run(migrate()))
    return database_url
