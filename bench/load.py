"""The load client: wrk, driven by the Lua scripts beside this file."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.plan import pinned

_SCRIPTS = Path(__file__).parent / "wrk"
_PATIENCE = 20
"""Seconds after which wrk counts an answer as lost."""

_LAST_ANSWERS = 60
"""Seconds a script that ends by itself may take to collect its last answers."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, how many at once, and which status is the right answer."""

    url: str
    script: str
    arguments: tuple[str, ...] = ()
    connections: int = 1
    threads: int = 1
    expected: int = 200
    ends_itself: bool = False
    """The script takes the seconds as its first argument and stops once every answer is in."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back. Latencies in ms, as wrk corrects them for its own waiting; duration in seconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failures: int
    """Answers with another status than the expected one, and requests that got none."""
    statuses: dict[str, int] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    """All that the script said."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class NoWrk(Exception):
    """The load client is not installed."""


def run(load: Load, seconds: int, processor: int | None) -> Answers:
    """Ask for so many seconds and return what came back."""
    return collect(start(load, seconds, processor), load)


def start(load: Load, seconds: int, processor: int | None) -> "subprocess.Popen[str]":
    """Begin to ask, without waiting for the end."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrk("the bench needs wrk (on Debian: apt-get install wrk)")
    lasting = seconds + _LAST_ANSWERS if load.ends_itself else seconds
    arguments = (str(seconds), *load.arguments) if load.ends_itself else load.arguments
    counts = ["-t", str(load.threads), "-c", str(load.connections), "-d", f"{lasting}s"]
    script = ["-s", str(_SCRIPTS / f"{load.script}.lua"), "--timeout", f"{_PATIENCE}s"]
    command = [wrk, *counts, *script, load.url, "--", *arguments]
    return subprocess.Popen(pinned(processor, command), stdout=subprocess.PIPE, text=True)


def collect(process: "subprocess.Popen[str]", load: Load) -> Answers:
    """Wait for wrk to end and read the line that our scripts print."""
    output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("BENCH ")]
    if not lines:
        raise RuntimeError(f"wrk said nothing about {load.url}:\n{output}")
    told = json.loads(lines[-1].removeprefix("BENCH "))
    return Answers(
        requests=told["requests"],
        seconds=told["seconds"],
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        max_ms=told["max_ms"],
        failures=told["broken"] + _unexpected(told, load.expected),
        statuses=told["statuses"],
        told=told,
    )


def _unexpected(told: dict[str, Any], expected: int) -> int:
    if told["statuses"]:
        return sum(count for status, count in told["statuses"].items() if status != str(expected))
    # Scripts for cheap routes do not look at answers; wrk itself still counts every status above 399.
    return told["refused"]
