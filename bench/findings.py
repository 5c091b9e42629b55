"""What the studies found, as plain data that becomes JSON."""

from dataclasses import dataclass, field
from statistics import median

from bench.accounting import Memory
from bench.results import Measurement, Probe


@dataclass(frozen=True, slots=True)
class Timed:
    """Latencies of some answers, in ms."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Overload:
    """A flood of sign-ins over what a server can hash, and what else it still answered meanwhile."""

    key: str
    name: str
    wanted_rate: float
    """Sign-ins per second that the client tried to send: ten times what the machine can hash."""
    sent_rate: float
    signed_in_rate: float
    statuses: dict[str, int]
    signed_in: Timed
    refused: Timed
    refused_all: int
    refused_politely: int
    """Of those, with a number of seconds in Retry-After."""
    unanswered: int
    memory_before: Memory
    memory_most: float
    memory_after: Memory
    probes: dict[str, Probe]
    bare: Probe
    """The bare route, in a process of its own beside the same flood: what the machine's scheduler adds."""

    def ratio(self, path: str) -> float:
        """Return the p99 under the flood, less what the scheduler adds to the bare route, ÷ the idle p99."""
        probe = self.probes[path]
        added = max(0.0, self.bare.flood_p99_ms - self.bare.idle_p99_ms)
        return (probe.flood_p99_ms - added) / probe.idle_p99_ms


@dataclass(slots=True)
class Variant:
    """One way to run a service, measured in turns with the others."""

    name: str
    rounds: list[dict[str, Measurement]] = field(default_factory=list)
    """For each round the load's name and what it cost; the reference is whatever the study says."""
    redis_ms: list[float] = field(default_factory=list)
    """CPU of Redis per request in each round."""
    redis_reads: float = 0.0
    """How often Redis read from a client, per request."""
    redis_commands: dict[str, float] = field(default_factory=dict)
    """Calls per request."""

    def middle(self, load: str, field_name: str) -> float:
        """Return the median over the rounds of one field of a measurement."""
        return median(getattr(each[load], field_name) for each in self.rounds)

    def ratio(self, other: "Variant", load: str, field_name: str = "cpu_ms") -> float:
        """Return the median of the ratios of the rounds, this ÷ other."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return median(getattr(a[load], field_name) / getattr(b[load], field_name) for a, b in pairs)


@dataclass(slots=True)
class Million:
    """The same requests to few and to many accounts, in turns."""

    accounts: tuple[int, int]
    seconds_to_fill: float
    megabytes: float
    """Size of the larger database."""
    few: Variant
    many: Variant
    lookup_us: tuple[list[float], list[float]]
    """p50 of the statement alone, without the service, in each round: of few, of many."""

    @property
    def lookup_ratio(self) -> float:
        """Median of the ratios of the rounds."""
        return median(many / few for few, many in zip(*self.lookup_us, strict=True))


@dataclass(slots=True)
class Check:
    """One kind of check by the guard."""

    name: str
    cpu_us: list[float] = field(default_factory=list)
    """CPU of one, in µs, in each round."""

    @property
    def middle_us(self) -> float:
        """Return the median over the rounds."""
        return median(self.cpu_us)
