"""What a run found, as plain data that becomes JSON."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.accounting import Memory

if TYPE_CHECKING:
    from bench.findings import Check, Million, Overload, Variant


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load of a few seconds. CPU in ms per request: of the server's processes, and of PostgreSQL's."""

    rate: float
    p50_ms: float
    p99_ms: float
    server_cpu_ms: float
    database_cpu_ms: float
    requests: int
    failures: int
    statuses: dict[str, int]
    reference_ms: float
    """CPU of what it is compared to, measured around it: a raw hash, or the bare route."""

    @property
    def cpu_ms(self) -> float:
        """Server and database together."""
        return self.server_cpu_ms + self.database_cpu_ms


@dataclass(frozen=True, slots=True)
class Round:
    """Every scenario once, between measurements of both references."""

    hashes_ms: list[float]
    """CPU of one raw hash, each time it was measured."""
    bare: Measurement
    scenarios: dict[str, Measurement]


@dataclass(frozen=True, slots=True)
class Probe:
    """Latency of one path asked lightly, in ms: on an idle server, and under a flood of sign-ins."""

    idle_p50_ms: float
    idle_p99_ms: float
    flood_p50_ms: float
    flood_p99_ms: float
    samples: int
    failures: int

    @property
    def ratio(self) -> float:
        """How many times the idle p99 the flooded p99 is."""
        return self.flood_p99_ms / self.idle_p99_ms


@dataclass(frozen=True, slots=True)
class Flood:
    """Twenty sign-ins in flight, and what else the server still answered."""

    processors: int
    """How many the server might use."""
    sign_ins_per_second: float
    refused: int
    """Sign-ins that were not answered with 200."""
    statuses: dict[str, int]
    probes: dict[str, Probe]


@dataclass(slots=True)
class Outcome:
    """All of one subject. Cold starts in seconds."""

    key: str
    name: str
    database: str
    cold_starts: list[float] = field(default_factory=list)
    memory_started: Memory | None = None
    memory_loaded: Memory | None = None
    rounds: list[Round] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)

    def middle(self, scenario: str, of: Callable[[Measurement], float]) -> float | None:
        """Return the median over the rounds; None where the scenario was not measured."""
        return middle(of(each.scenarios[scenario]) for each in self.rounds if scenario in each.scenarios)

    def ratio_to_reference(self, scenario: str) -> float | None:
        """Return CPU per request as a multiple of the scenario's reference, measured around it."""
        return self.middle(scenario, lambda found: found.cpu_ms / found.reference_ms)

    def failures(self) -> int:
        """Answers that were not the expected ones, in all measurements."""
        return sum(each.failures for found in self.rounds for each in found.scenarios.values())


@dataclass(frozen=True, slots=True)
class Select:
    """Raw selects by primary key. CPU in µs per select."""

    database: str
    client_cpu_us: float
    database_cpu_us: float
    per_second: float


@dataclass(slots=True)
class Results:
    """One run of the bench."""

    quick: bool
    partial: bool
    machine: dict[str, str]
    versions: dict[str, str]
    plan: dict[str, object]
    selects: list[Select] = field(default_factory=list)
    bare: Outcome | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    overloads: "list[Overload]" = field(default_factory=list)
    workers: "list[Variant]" = field(default_factory=list)
    costs: "list[Variant]" = field(default_factory=list)
    million: "Million | None" = None
    guard: "list[Check]" = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Subjects that could not be measured, and why."""

    def of(self, key: str) -> Outcome | None:
        """Return the outcome of one subject, if it was measured."""
        return next((each for each in self.outcomes if each.key == key), None)

    def rounds(self) -> list[Round]:
        """Return every round of every subject; each holds both references."""
        return [each for outcome in self.outcomes for each in outcome.rounds]


def middle(values: Iterable[float]) -> float | None:
    """Return the median, or None of nothing."""
    held = list(values)
    return median(held) if held else None
