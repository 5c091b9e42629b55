"""How much of the machine others took meanwhile: what is promised in seconds is promised for a machine of one's own."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Neighbours"]

_TICKS = os.sysconf("SC_CLK_TCK")
_MOST = 0.9


@dataclass(frozen=True)
class Neighbours:
    """Make one before, and ask it after."""

    since: float
    busy: float
    ours: float

    @classmethod
    def from_now(cls) -> "Neighbours":
        """Begin to watch."""
        return cls(time.monotonic(), _busy_seconds(), _our_seconds())

    def share(self) -> float:
        """Return the share of all processors' time that others took, 0 to 1."""
        others = (_busy_seconds() - self.busy) - (_our_seconds() - self.ours)
        share = others / ((time.monotonic() - self.since) * (os.cpu_count() or 1))
        return round(min(1.0, max(0.0, share)), 2)

    def slowed(self) -> float:
        """Return how many times longer everything may have taken because of them."""
        return 1 / (1 - min(_MOST, self.share()))


def _busy_seconds() -> float:
    user, nice, system, _idle, _wait, *rest = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    interrupts_and_steal = rest[:3]
    return sum(map(int, (user, nice, system, *interrupts_and_steal))) / _TICKS


def _our_seconds() -> float:
    """Return the CPU seconds of this process and of all that it has begun, also of those that ended."""
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for pid, fields in _all():
        parents[pid] = int(fields[1])
        spent[pid] = sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    # A child may have a lower number than its parent: until nobody is added.
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(spent.get(pid, 0) for pid in ours) / _TICKS


def _all() -> Iterable[tuple[int, list[str]]]:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            stat = (place / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The second field is the command in parentheses, and may itself hold spaces and parentheses.
        yield int(place.name), stat.rpartition(")")[2].split()
