"""A PostgreSQL of one run's own, to be stopped, frozen and started again."""

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import asyncpg
import pytest

from tests.processes import free_port
from tests.services import KEEPER, postgres_programs, start_as, unprivileged

__all__ = ["OwnPostgres", "children", "running_postgres"]

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_line_prefix": "%e ",
}


def children(parent: int) -> list[int]:
    """Return the processes that a process has begun and that are still there."""
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except FileNotFoundError:
        return []


class OwnPostgres:
    """A PostgreSQL that survives what is done to it: its files are synced, as in production."""

    def __init__(self, programs: Path, home: Path, user: str | None) -> None:
        self._programs = programs
        self._data = home / "postgres"
        self._user = user
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def create(self) -> None:
        """Make its files."""
        await self._run("initdb", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8")

    async def start(self) -> None:
        """Start it, and return when it takes connections."""
        options = " ".join(
            f"-c {name}='{value}'" for name, value in (_SETTINGS | {"port": self.port}).items()
        )
        log = str(self._data.parent / "postgres.log")
        await self._run("pg_ctl", "start", "--wait", "--silent", "--log", log, "--options", options)

    async def stop(self, mode: str = "immediate") -> None:
        """Stop it; `immediate` as a crash does, with every connection broken and what was in memory lost."""
        await self._run("pg_ctl", "stop", "--wait", "--silent", "--mode", mode)

    def freeze(self) -> None:
        """Let none of its processes run: connections stay open, and nobody answers."""
        # The parent first: it begins no more processes then.
        os.kill(self._pid, signal.SIGSTOP)
        self._tell_children(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them run again."""
        self._tell_children(signal.SIGCONT)
        os.kill(self._pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def _tell_children(self, number: signal.Signals) -> None:
        for pid in children(self._pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def errors(self) -> Counter[str]:
        """Return how often it has said each error, by its code (SQLSTATE)."""
        log = (self._data.parent / "postgres.log").read_text(errors="replace")
        return Counter(re.findall(r"^(\w{5}) (?:ERROR|FATAL): ", log, re.MULTILINE))

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Any]:
        """Connect as an operator, or as somebody who is in the way."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close(timeout=10)

    async def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "--pgdata", str(self._data), *arguments]
        # What `pg_ctl start` begins keeps the pipes it was given, and would be waited for: it gets none.
        process = start_as(self._user, command)
        assert await asyncio.to_thread(process.wait) == 0, command


@asynccontextmanager
async def running_postgres() -> AsyncGenerator[OwnPostgres]:
    """Run a PostgreSQL meanwhile, which ends with this process, however that ends."""
    programs, user = postgres_programs(), unprivileged()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine")
    home = Path(tempfile.mkdtemp(prefix="gatepost-soak-"))
    if user is not None:
        shutil.chown(home, user)
    keeper: Popen[bytes] = start_as(user, ["sh", "-c", KEEPER, "sh", str(home), str(programs)], stdin=PIPE)
    postgres = OwnPostgres(programs, home, user)
    try:
        await postgres.create()
        await postgres.start()
        yield postgres
    finally:
        with suppress(Exception):
            postgres.thaw()
        await asyncio.to_thread(keeper.communicate)
