"""The real command in processes of its own: a service on a free port, or one command that runs to its end.

    with serving(tmp_path, {"GATEPOST_DATABASE_URL": url}) as server:
        httpx2.get(f"{server.url}/health")

Nothing of the environment that runs the tests reaches them but what any program needs. Two services share a
database when both get its URL; each `directory` is the working directory, with `data` in it as data directory.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests import forks
from tests.forks import Fork

__all__ = ["SECRET", "Server", "begin", "environment", "free_port", "run", "serving", "start"]

SECRET = "Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u"

_COMMAND = (sys.executable, "-m", "gatepost")
_DEADLINE = 60.0  # generous: two cores are shared by the whole run
_POLL = 0.02
_TRIES = 3  # somebody else may take the free port first


@dataclass
class Server:
    """A running service, and what it has said so far."""

    url: str
    process: Fork | subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        """What it printed and logged."""
        return self.output.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to end (SIGTERM), wait until it has, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it and its workers at once (SIGKILL), as a crash of the machine would."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_DEADLINE)


def environment(directory: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command that works in `directory`, with hashes that cost little."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
    own = {name: value for name, value in own.items() if name not in {"PORT", "DATABASE_URL"}}
    defaults = {
        "GATEPOST_DATA_DIR": str(directory / "data"),
        "GATEPOST_HASHING__MEMORY_KIB": "64",
        "GATEPOST_HASHING__ITERATIONS": "1",
        # Two cores are shared by the whole run: a queue may stand longer than any would on a machine of its own.
        "GATEPOST_HASHING__DEADLINE": "60",
        "GATEPOST_SECRET_KEY": SECRET,
        # Production refuses to run without.
        "GATEPOST_RATE_LIMITS": "on"
        if (settings or {}).get("GATEPOST_ENVIRONMENT") == "production"
        else "off",
        "GATEPOST_NOTICES__MUTED": "new_device,sessions_ended_by_reuse",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    # A setting that is given as "" is left out.
    return own | {name: value for name, value in (defaults | dict(settings or {})).items() if value}


def run(
    directory: Path, *arguments: str, settings: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end: `run(tmp_path, "users", "list", "--json")`."""
    if forks.possible():
        return _run_forked(directory, arguments, settings, stdin)
    return subprocess.run(
        [*_COMMAND, *arguments],
        cwd=directory,
        env=environment(directory, settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )


def _run_forked(
    directory: Path, arguments: tuple[str, ...], settings: Mapping[str, str] | None, stdin: str
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / name for name in ("output", "errors", "input")]
        output, errors, given = files
        given.write_text(stdin)
        process = Fork(arguments, directory, environment(directory, settings), output, errors, given)
        code = process.wait(_DEADLINE)
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def begin(
    directory: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> Fork | subprocess.Popen[bytes]:
    """Start one command that is not meant to come to its end."""
    wanted = environment(directory, settings)
    if forks.possible():
        return Fork(arguments, directory, wanted)
    nowhere = subprocess.DEVNULL
    command = [*_COMMAND, *arguments]
    return subprocess.Popen(command, cwd=directory, env=wanted, stdin=nowhere, stdout=nowhere, stderr=nowhere)


@contextmanager
def serving(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    *flags: str,
    port: int | None = None,
    before: str = "",
) -> Generator[Server]:
    """Start `gatepost serve`, wait until it answers, and stop it at the end, unless that has happened."""
    server = start(directory, settings, *flags, port=port, before=before)
    try:
        yield server
    finally:
        server.stop()


def start(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    *flags: str,
    port: int | None = None,
    before: str = "",
) -> Server:
    """Start `gatepost serve` and wait until it answers. Whoever calls stops it. `before`: lines of shell."""
    for tries_left in reversed(range(_TRIES)):
        server = _spawn(directory, settings, flags, port or free_port(), before)
        if _answers(server):
            return server
        if port is not None or not tries_left or "Cannot listen" not in server.said:
            raise AssertionError(f"the service did not start:\n{server.said}")
    raise AssertionError("unreachable")


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _spawn(
    directory: Path, settings: Mapping[str, str] | None, flags: tuple[str, ...], port: int, before: str
) -> Server:
    output = directory / f"serve-{port}-{time.monotonic_ns()}.log"
    output.touch()
    wanted = environment(directory, {**(settings or {}), "PORT": str(port)})
    process: Fork | subprocess.Popen[bytes]
    if forks.possible() and not before:
        process = Fork(["serve", *flags], directory, wanted, output)
    else:
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["sh", "-c", f'{before}\nexec "$@"', "sh", *_COMMAND, "serve", *flags],
                cwd=directory,
                env=wanted,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that `kill` reaches the workers too
            )
    host = (settings or {}).get("GATEPOST_HOST", "127.0.0.1")
    return Server(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", process, output)


def _answers(server: Server) -> bool:
    """Wait until it answers; return False if it ended instead."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            return False
        try:
            if httpx2.get(f"{server.url}/health").status_code == 200:
                return True
        except httpx2.TransportError:
            pass
        time.sleep(_POLL)
    server.kill()
    return False
