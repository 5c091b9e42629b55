"""A Redis of our own, without persistence, and what it counted."""

import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers import HOST, free_port, stop

_START_LIMIT = 10.0
_PROMPT = b"\r\n"


@dataclass(frozen=True, slots=True)
class Redis:
    """A running Redis."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://{HOST}:{self.port}/0"

    def counted(self) -> dict[str, int]:
        """Return calls by command since the start, and under `reads` how often a client's bytes were read.

        A command inside a script counts too; reads are what a client had to wait for.
        """
        told = self._ask("INFO commandstats") + self._ask("INFO stats")
        found = {}
        for line in told.splitlines():
            name, _, value = line.partition(":")
            if name.startswith("cmdstat_"):
                found[name.removeprefix("cmdstat_")] = int(value.split(",")[0].removeprefix("calls="))
            elif name == "total_reads_processed":
                found["reads"] = int(value)
        return found

    def _ask(self, command: str) -> str:
        with socket.create_connection((HOST, self.port), timeout=5) as connection:
            connection.sendall(command.encode() + _PROMPT)
            stream = connection.makefile("rb")
            length = int(stream.readline().removeprefix(b"$"))
            return stream.read(length).decode()


@contextmanager
def redis(directory: Path) -> Generator[Redis]:
    """Run a Redis until the block ends. Raises FileNotFoundError where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("no redis-server found (on Debian: apt-get install redis-server)")
    port = free_port()
    settings = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
    with (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen([program, *settings], cwd=directory, stdout=log, stderr=log)
        try:
            _await_answer(port)
            yield Redis(process.pid, port)
        finally:
            stop(process)


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
