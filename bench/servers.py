"""Starting, awaiting and stopping the processes that are measured."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.accounting import tree
from bench.plan import pinned

HOST = "127.0.0.1"
_START_LIMIT = 60.0
_STOP_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. Ready: seconds from process start to its first good answer."""

    pid: int
    port: int
    ready: float

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://{HOST}:{self.port}"


class NotReady(Exception):
    """A server ended, or did not answer in time."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment without Gatepost's settings, which would change what is measured."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GATEPOST_")}
    return {**kept, **extra}


@contextmanager
def serving(
    command: list[str],
    *,
    port: int,
    environment: Mapping[str, str],
    ready_path: str,
    directory: Path,
    processor: int | None,
) -> Generator[Server]:
    """Run a server until the block ends; its output goes to server.log in the directory."""
    with (directory / "server.log").open("ab") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            pinned(processor, command),
            cwd=directory,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _await_answer(process, port, ready_path, directory / "server.log")
            yield Server(process.pid, port, time.monotonic() - began)
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> None:
    """End a process we started and whatever it started."""
    family = tree(process.pid)
    process.send_signal(how)
    try:
        process.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _await_answer(process: "subprocess.Popen[bytes]", port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if _answers(port, path):
            return
        time.sleep(0.005)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise NotReady(f"no answer on {path}; the last of its log:\n{tail}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
