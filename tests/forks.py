"""The command in a process of its own that need not import it first: forked from one that has.

To start Python and import everything takes longer than most tests. Where there are no forks, and where coverage is
measured, `possible` says no.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.measured import MEASURES_CHILDREN

__all__ = ["Fork", "possible"]

_NOWHERE = Path(os.devnull)
# Not the library of metrics: it looks for its directory when it is first imported.
_IMPORTED = [
    "tests.forks",
    "gatepost.cli",
    "gatepost.cli.answering",
    "gatepost.cli.supervisor",
    "gatepost.gatepost",
    "gatepost.app",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.dialects.postgresql.asyncpg",
]


class Fork:
    """A running command: `subprocess.Popen`, as far as tests use it."""

    def __init__(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        output: Path | None = None,
        errors: Path | None = None,
        stdin: Path | None = None,
    ) -> None:
        """Start it; what it says goes to the end of the files, all to `output` if there are no `errors`."""
        self._arguments = arguments
        said, read = output or _NOWHERE, stdin or _NOWHERE
        places = [str(place) for place in (directory, read, said, errors or said)]
        self._process = _context().Process(target=_run, args=(list(arguments), dict(environment), *places))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process, which leads a group of its own."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(list(self._arguments), timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def possible() -> bool:
    """Tell whether a command may be forked here and now."""
    return sys.platform != "win32" and MEASURES_CHILDREN not in os.environ


@cache
def _context() -> Any:
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def _run(
    arguments: list[str], environment: dict[str, str], directory: str, stdin: str, output: str, errors: str
) -> None:
    os.setsid()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(stdin, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    for number, stream, place in ((1, "stdout", output), (2, "stderr", errors)):
        os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        setattr(sys, stream, os.fdopen(number, "w", buffering=1, closefd=False))
    sys.argv = ["gatepost", *arguments]
    from gatepost.cli import main

    main()
