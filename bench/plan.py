"""How long a run lasts, how often it measures, and which processor does what."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORKSHOP = ROOT / ".bench"
"""Results and the peers' environments; git ignores it."""

PASSWORD = "Kestrel-over-9-Quarries"
WRONG_PASSWORD = "Kestrel-over-8-Quarries"

ARGON2_MEMORY_KIB = 19_456
ARGON2_ITERATIONS = 2
ARGON2_LANES = 1


@dataclass(frozen=True, slots=True)
class Placement:
    """Which processor a process may use; None leaves it to the kernel."""

    server: int | None
    client: int | None

    @classmethod
    def of_this_machine(cls) -> "Placement":
        """Server on one processor, load client on another, where there are two and `taskset`."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2 or shutil.which("taskset") is None:
            return cls(None, None)
        return cls(usable[0], usable[1])


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Times in seconds."""

    rounds: int = 3
    seconds: int = 3
    hash_seconds: float = 0.4
    flood_probe_seconds: int = 6
    overload_probe_seconds: int = 8
    cost_rounds: int = 7
    cold_starts: int = 3
    accounts: int = 100_000
    many_accounts: int = 1_000_000
    quick: bool = False
    placement: Placement = field(default_factory=Placement.of_this_machine)

    @classmethod
    def short(cls) -> "Plan":
        """Return a run for someone who is changing the bench, not for figures to quote."""
        return cls(
            rounds=1,
            seconds=2,
            hash_seconds=0.3,
            flood_probe_seconds=3,
            overload_probe_seconds=3,
            cost_rounds=2,
            cold_starts=2,
            accounts=10_000,
            many_accounts=100_000,
            quick=True,
        )


def pinned(processor: int | None, command: list[str]) -> list[str]:
    """Return the command, bound to one processor."""
    return command if processor is None else ["taskset", "-c", str(processor), *command]
