"""What a tree of processes has used, read from /proc."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB_IN_MB = 1_000_000 / 1024
_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in millions of bytes: of the whole tree, and of its largest process (the worker)."""

    rss: float
    pss: float
    worker_rss: float
    processes: int


def tree(root: int) -> list[int]:
    """Return the process ids of a process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """Return user and system seconds of the tree so far, of children that ended and were reaped too."""
    used = 0.0
    for pid in tree(root):
        fields = _stat(pid)
        if fields:
            reaped = int(fields[13]) + int(fields[14])
            used += _own_seconds(pid, fields) + reaped / _TICKS
    return used


def memory(root: int) -> Memory:
    """Return the resident memory of the tree. PSS counts a page shared by two processes half in each."""
    rss: list[float] = []
    pss: list[float] = []
    for pid in tree(root):
        usage = _smaps(pid)
        if usage:
            rss.append(usage["Rss"] / _KIB_IN_MB)
            pss.append(usage["Pss"] / _KIB_IN_MB)
    return Memory(sum(rss), sum(pss), max(rss, default=0.0), len(rss))


class MemoryWatch:
    """The most that a tree of processes holds while the block runs, asked twice a second; RSS in MB."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_BETWEEN_LOOKS):
            self.most = max(self.most, memory(self._root).rss)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How busy the machine is with work that is not ours. Make one before a run and ask it after."""

    since: float
    busy: float
    ours: float

    @classmethod
    def from_now(cls) -> "Neighbours":
        """Begin to watch."""
        return cls(time.monotonic(), _busy_seconds(), _our_seconds())

    def share(self) -> float:
        """Return the share of all processors' time that others took, 0 to 1; wrong while our children run."""
        others = (_busy_seconds() - self.busy) - (_our_seconds() - self.ours)
        return max(0.0, others / ((time.monotonic() - self.since) * (os.cpu_count() or 1)))


def _busy_seconds() -> float:
    user, nice, system, _idle, _wait, *rest = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    interrupts_and_steal = rest[:3]
    return sum(map(int, (user, nice, system, *interrupts_and_steal))) / _TICKS


def _our_seconds() -> float:
    """Return CPU seconds of this process and of all children that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _own_seconds(pid: int, fields: list[str]) -> float:
    """Return the CPU seconds of one process, of all its threads, also those that ended."""
    try:
        # The kernel's number for another process's CPU clock, which counts ns where /proc counts 10 ms.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return (int(fields[11]) + int(fields[12])) / _TICKS


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The second field is the command in parentheses, and may itself hold spaces and parentheses.
    return text.rpartition(")")[2].split()


def _smaps(pid: int) -> dict[str, float]:
    """Return Rss and Pss of one process in KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    return {line.split(":")[0]: float(line.split()[1]) for line in lines if line.endswith("kB")}
