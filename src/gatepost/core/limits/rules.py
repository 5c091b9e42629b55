"""The rules and their arithmetic: pure functions of a state and a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

__all__ = [
    "SLACK",
    "Backoff",
    "Demand",
    "Limit",
    "Limiter",
    "Rule",
    "State",
    "Verdict",
    "judge",
    "judge_backoff",
]

# The share of one step by which rounding may be off: sums of floats are not exact, a limit must be.
SLACK = 1e-3

State = tuple[float, int]
"""When the state may be forgotten, in the limiter's own seconds, and how many failures came in a row."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in `seconds`: as a burst, or spread evenly (GCRA, the generic cell rate algorithm)."""

    name: str
    count: int
    seconds: float
    step: float = field(init=False)
    policy: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", self.seconds / self.count)
        policy = f'"{self.name}";q={self.count};w={math.ceil(self.seconds)}'
        object.__setattr__(self, "policy", policy)

    @property
    def limit(self) -> "Limit":
        """The limit that a refusal is explained by: itself."""
        return self


@dataclass(frozen=True, slots=True)
class Backoff:
    """After `free` tries in a row that failed, each next one must wait: 1, 2, 4 … up to `longest` seconds.

    A try counts as failed until `Limiter.forget` says otherwise. Without a try for `memory` seconds, all is
    forgotten.
    """

    name: str
    limit: Limit
    free: int
    longest: float
    memory: float = 3600.0

    def delay(self, failures: int) -> float:
        """Return how long to wait after so many failures, in seconds."""
        if failures < self.free:
            return 0.0
        return min(self.longest, 2.0 ** min(failures - self.free, 30))


Rule = Limit | Backoff


class Demand(NamedTuple):
    """Somebody asks to be let through a rule."""

    rule: Rule
    key: str


class Verdict(NamedTuple):
    """What a rule says. `remaining` more may come at once; in `reset` seconds all is forgotten; times in seconds."""

    rule: Rule
    admitted: bool
    remaining: int
    reset: float
    retry_after: float

    @property
    def wait(self) -> int:
        """Whole seconds to wait before another try, at least one."""
        return max(1, math.ceil(self.retry_after))

    @property
    def fields(self) -> dict[str, str]:
        """The fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers, sections 3 and 4)."""
        return {"RateLimit-Policy": self.rule.limit.policy, "RateLimit": self._left}

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The same as ASGI sends them."""
        return [
            (b"ratelimit-policy", self.rule.limit.policy.encode()),
            (b"ratelimit", self._left.encode()),
        ]

    @property
    def _left(self) -> str:
        # Of a refusal the reset names the same moment as Retry-After.
        reset = math.ceil(self.reset) if self.admitted else self.wait
        return f'"{self.rule.limit.name}";r={self.remaining};t={reset}'


class Limiter(Protocol):
    """Keeps the state of rules, and judges by it."""

    async def admit(self, demands: Sequence[Demand]) -> list[Verdict]:
        """Charge the demands in order up to the first refusal; return the verdicts so far. Never raises."""
        ...

    async def forget(self, demand: Demand) -> None:
        """Forget the state behind a demand. Never raises."""
        ...

    async def close(self) -> None:
        """Give back what it holds open."""
        ...


def judge(limit: Limit, full_at: float, now: float) -> tuple[Verdict, float]:
    """Return the verdict, and when the limit is full again after it (unchanged by a refusal).

    `full_at` is the theoretical arrival time of GCRA: each admitted request moves it by one step.
    """
    # Never further ahead than one window, also when the clock was set back.
    ahead = min(full_at - now, limit.seconds) if full_at > now else 0.0
    room = limit.seconds - ahead
    if room < limit.step * (1 - SLACK):
        return Verdict(limit, False, 0, ahead, limit.step - room), full_at
    ahead += limit.step
    return Verdict(limit, True, int((room - limit.step) / limit.step + SLACK), ahead, 0.0), now + ahead


def judge_backoff(rule: Backoff, state: State, now: float) -> tuple[Verdict, State]:
    """Return the verdict, and the state after it: one failure more if it was admitted."""
    forgotten_at, failures = state
    wait = min(forgotten_at - rule.memory - now, rule.longest)
    if failures and forgotten_at <= now:
        failures = 0
    if failures and wait > SLACK:
        return Verdict(rule, False, 0, forgotten_at - now, wait), state
    failures += 1
    delay = rule.delay(failures)
    left = max(0, rule.free - failures)
    return Verdict(rule, True, left, delay + rule.memory, 0.0), (now + delay + rule.memory, failures)
