"""`kill -9` in the midst of a migration: nothing is half done, nobody waits for the dead, and the next try succeeds."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

from gatepost.core.database import Database
from gatepost.migrations import HEAD, current_revision
from gatepost.migrations.commands import config
from tests.processes import environment
from tests.races.conftest import empty_database

_HANGING = f"""
import sys, time
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.create_table("half_done", sa.Column("id", sa.Integer, primary_key=True))
    if sys.argv[1:] == ["hang"]:
        print("in the midst", flush=True)
        time.sleep(300)
"""
_UPGRADE = """
import asyncio, pathlib
from gatepost.core.database import Database
from gatepost.migrations import commands
from gatepost.settings import Settings

commands.__file__ = str(pathlib.Path("migrations/commands.py").absolute())

async def main():
    database = Database(Settings().database_location)
    await commands.upgrade(database)
    await database.close()

asyncio.run(main())
"""


async def migrate(directory: Path, url: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _UPGRADE, *arguments),
        cwd=directory,
        env=environment(directory, {"GATEPOST_DATABASE_URL": url}),
        stdout=asyncio.subprocess.PIPE,
    )


async def state(url: str) -> tuple[str | None, bool]:
    database = Database(url)
    try:
        async with database.engine.connect() as connection:
            there = await connection.run_sync(lambda sync: inspect(sync).has_table("half_done"))
        return await current_revision(database), there
    finally:
        await database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_migration_that_is_killed_leaves_nothing_and_the_next_one_does_it(
    kind: str, tmp_path: Path
) -> None:
    scripts = config().get_main_option("script_location") or ""
    await asyncio.to_thread(shutil.copytree, scripts, tmp_path / "migrations")
    script = tmp_path / "migrations" / "versions" / "9000_hangs.py"
    await asyncio.to_thread(script.write_text, _HANGING)
    with empty_database(kind, tmp_path) as url:
        await killed_in_the_midst(tmp_path, url)
        # All of it was one transaction, from the first revision on.
        assert await state(url) == (None, False)

        waiting = await killed_in_the_midst(tmp_path, url, another=True)
        assert waiting is not None
        assert await waiting.wait() == 0
        assert await state(url) == ("9000", True)


async def killed_in_the_midst(
    directory: Path, url: str, *, another: bool = False
) -> asyncio.subprocess.Process | None:
    """Kill a migration that has done half of its work; `another` may be begun before that."""
    hanging = await migrate(directory, url, "hang")
    assert hanging.stdout is not None
    assert await hanging.stdout.readline() == b"in the midst\n"
    waiting = await migrate(directory, url) if another else None
    os.kill(hanging.pid, signal.SIGKILL)
    await hanging.wait()
    return waiting
