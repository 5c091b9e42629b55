"""A PostgreSQL of our own: made in a throw-away directory, durable as by default, stopped at the end."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers import HOST, free_port, stop

OWNER = "bench"
_START_LIMIT = 30.0
_NEEDED = ("initdb", "postgres", "pg_isready")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL."""

    pid: int
    port: int
    version: str

    def address(self, database: str, driver: str = "") -> str:
        """Return the URL of one of its databases, for asyncpg itself or for SQLAlchemy with a driver."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{OWNER}@{HOST}:{self.port}/{database}"


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL on this machine that has `initdb`."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major, reverse=True)
    complete = (path.parent for path in found if all((path.parent / name).exists() for name in _NEEDED))
    return next(complete, None)


def _major(path: Path) -> int:
    version = path.parts[-3]
    return int(version) if version.isdigit() else 0


@contextmanager
def cluster(directory: Path) -> Generator[Cluster]:
    """Run a fresh cluster in the directory, with PostgreSQL's defaults but for its port and socket folder."""
    folder = binaries()
    if folder is None:
        raise FileNotFoundError("no initdb found: the bench needs the PostgreSQL server's own programs")
    data, account = directory / "postgresql", _unprivileged()
    data.mkdir()
    if account:
        shutil.chown(data, account)
    _initialise(folder, data, account)
    port = free_port()
    with (directory / "postgresql.log").open("wb") as log:
        command = [str(folder / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data)]
        process = subprocess.Popen(command, cwd=data, user=account, stdout=log, stderr=log)
        try:
            _await_answer(folder, port)
            version = subprocess.check_output([folder / "postgres", "--version"], text=True).split()[2]
            yield Cluster(process.pid, port, version)
        finally:
            # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
            stop(process, signal.SIGINT)


def _initialise(folder: Path, data: Path, account: str | None) -> None:
    command = [str(folder / "initdb"), "-D", str(data), "-U", OWNER, "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*command, "--locale=C.UTF-8"], check=True, cwd=data, user=account, stdout=subprocess.DEVNULL
    )


def _unprivileged() -> str | None:
    """Return the account for PostgreSQL, which refuses to run as root; None means the caller's own."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _await_answer(folder: Path, port: int) -> None:
    """Return once it takes connections: it opens its port a moment before."""
    deadline = time.monotonic() + _START_LIMIT
    ask = [str(folder / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    while subprocess.run(ask, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL takes no connections after {_START_LIMIT:.0f} s")
        time.sleep(0.05)
