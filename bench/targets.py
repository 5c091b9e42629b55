"""What the project promised of its own speed, against what a run found."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench import costs, guard, million
from bench.results import Outcome, Results

SIGN_IN_TO_HASH = 1.10
ME_TO_PEER = 0.20
ME_TO_BARE = 2.5
MEMORY_MB = 110.0
READY_SECONDS = 2.0
FLOOD_TO_IDLE = 3.0
OVERLOAD_TO_IDLE = 2.0
REFUSED_MS = 100.0
GROWTH_MB = 100.0
"""By how much a flood may grow the service: a queue and its requests, and hashes of 20 MB each."""
CACHED_ME_TO_BARE = 1.6
LIMITED_TO_NOT = 1.05
REDIS_ROUND_TRIPS = 1.0
MANY_TO_FEW = 1.3
GUARD_US = 40.0
ROTATION_TO_BARE = 7.0

_GOOD = {"200", "429", "503"}

PLACES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


@dataclass(frozen=True, slots=True)
class Target:
    """One promise. Found is None where it was not measured."""

    promise: str
    most: float
    found: float | None
    unit: str = "×"

    @property
    def verdict(self) -> str:
        """Say whether it was kept."""
        if self.found is None:
            return "not measured"
        return "met" if round(self.found, 2) <= self.most else "**not met**"


def targets(results: Results) -> list[Target]:
    """Return every promise in the order of the issue that made them."""
    first = [*_floods(results), *_sign_ins(results), *_profiles(results), *_starts(results)]
    second = [*_overloads(results), *_millions(results), *_costs(results)]
    return [*first, *second, *_guard(results), *_rotations(results)]


def _floods(results: Results) -> Iterator[Target]:
    ours = results.of("gatepost-postgresql")
    for flood in ours.floods if ours else []:
        for path, probe in flood.probes.items():
            where = "one processor" if flood.processors == 1 else f"{flood.processors} processors"
            yield Target(f"{path}: p99 beside 20 sign-ins ÷ idle p99 ({where})", FLOOD_TO_IDLE, probe.ratio)


def _sign_ins(results: Results) -> Iterator[Target]:
    for database, place in PLACES.items():
        ours = results.of(f"gatepost-{database}")
        found = ours.ratio_to_reference("sign-in") if ours else None
        yield Target(f"sign-in ÷ one raw hash, CPU, {place}", SIGN_IN_TO_HASH, found)


def _profiles(results: Results) -> Iterator[Target]:
    for database, place in PLACES.items():
        ours = results.of(f"gatepost-{database}")
        for suffix, how in (("", "as documented"), ("-tuned", "tuned")):
            peer = results.of(f"peer-{database}{suffix}")
            promise = f"GET /users/me ÷ fastapi-users {how}, CPU, {place}"
            yield Target(promise, ME_TO_PEER, _cpu_ratio(ours, peer, "me"))
        found = ours.ratio_to_reference("me") if ours else None
        yield Target(f"GET /users/me ÷ bare FastAPI route, CPU, {place}", ME_TO_BARE, found)


def _starts(results: Results) -> Iterator[Target]:
    for database, place in PLACES.items():
        ours = results.of(f"gatepost-{database}")
        used = ours.memory_started if ours else None
        resident = max(used.worker_rss, used.pss) if used else None
        yield Target(f"resident memory of one worker after start, {place}", MEMORY_MB, resident, "MB")
        ready = median(ours.cold_starts) if ours and ours.cold_starts else None
        yield Target(f"ready after process start, existing database, {place}", READY_SECONDS, ready, "s")


def _overloads(results: Results) -> Iterator[Target]:
    ours = next((each for each in results.overloads if each.key.startswith("gatepost")), None)
    for path in ("GET /users/me", "refresh", "JWKS"):
        promise = f"{path}: p99 beside ten times the sign-ins, less the scheduler's share ÷ idle p99"
        yield Target(promise, OVERLOAD_TO_IDLE, ours.ratio(path) if ours else None)
    refused = ours.refused.max_ms if ours and ours.refused_all else None
    yield Target("the slowest refusal beside ten times the sign-ins", REFUSED_MS, refused, "ms")
    bare = ours.refused_all - ours.refused_politely if ours else None
    yield Target("refusals without Retry-After", 0, bare, "")
    other = sum(count for status, count in ours.statuses.items() if status not in _GOOD) if ours else None
    yield Target("answers to that flood that are neither 200 nor 429 nor 503", 0, other, "")
    growth = ours.memory_most - ours.memory_before.rss if ours else None
    yield Target("memory that the flood adds, RSS of the whole tree", GROWTH_MB, growth, "MB")


def _millions(results: Results) -> Iterator[Target]:
    found = results.million
    few, many = ("1,000", "1,000,000") if not found else (f"{count:,}" for count in found.accounts)
    alone = found.lookup_ratio if found else None
    yield Target(f"sign-in look-up alone, p50, {many} ÷ {few} accounts", MANY_TO_FEW, alone)
    for load in million.LOADS:
        ratio = found.many.ratio(found.few, load, "p50_ms") if found else None
        yield Target(f"{load}, p50, {many} ÷ {few} accounts", MANY_TO_FEW, ratio)


def _costs(results: Results) -> Iterator[Target]:
    held = {each.name: each for each in results.costs}

    def ratio(above: str, below: str) -> float | None:
        return costs.ratio(held[above], held[below]) if above in held and below in held else None

    cached = ratio(costs.CACHED, costs.BARE)
    yield Target("GET /users/me of a cached user ÷ bare FastAPI route, CPU", CACHED_ME_TO_BARE, cached)
    in_memory = ratio(costs.LIMITED, costs.PLAIN)
    yield Target("GET /users/me with limits in memory ÷ without limits, CPU", LIMITED_TO_NOT, in_memory)
    pair = [held[name].redis_reads for name in (costs.CACHED_LIMITED, costs.CACHED) if name in held]
    trips = pair[0] - pair[1] if len(pair) == 2 else None
    yield Target("Redis round trips that a limit adds to a request", REDIS_ROUND_TRIPS, trips, "")


def _guard(results: Results) -> Iterator[Target]:
    found = next((each.middle_us for each in results.guard if each.name == guard.REPEATED), None)
    yield Target("the guard in another service, a repeated token, CPU", GUARD_US, found, "µs")


def _rotations(results: Results) -> Iterator[Target]:
    for database, place in PLACES.items():
        ours = results.of(f"gatepost-{database}")
        found = ours.ratio_to_reference("refresh") if ours else None
        yield Target(f"refresh ÷ bare FastAPI route, CPU, {place}", ROTATION_TO_BARE, found)


def _cpu_ratio(ours: Outcome | None, theirs: Outcome | None, scenario: str) -> float | None:
    if not ours or not theirs:
        return None
    above, below = (each.middle(scenario, lambda found: found.cpu_ms) for each in (ours, theirs))
    return above / below if above is not None and below else None
