"""What is measured of one Gatepost, and what it depends on: the lists behind `/metrics` and `/health/ready`."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from gatepost.core.clock import Clock
from gatepost.core.database import Database, DatabaseUnavailable
from gatepost.core.events import Event
from gatepost.core.hashing import Hashing
from gatepost.core.limits import Limits
from gatepost.core.metrics import Metrics
from gatepost.core.outbox import Outbox
from gatepost.core.readiness import Check, Readiness
from gatepost.core.redis import connect
from gatepost.login import LoginFailed
from gatepost.migrations import require_current
from gatepost.sessions import SessionStarted
from gatepost.tokens import AccessTokens, Callers

__all__ = ["Measured", "Measures", "readiness"]

_SAMPLE_SECONDS = 1.0
_LONGEST_LOOK = 0.8
_METHODS = {"pwd": "password"}


@dataclass(frozen=True)
class Measured:
    """The parts that are looked at."""

    database: Database
    hashing: Hashing
    outbox: Outbox
    limits: Limits
    callers: Callers
    access_tokens: AccessTokens
    clock: Clock


class Measures:
    """Counts requests and sign-ins as they happen, and looks at the other parts when somebody asks."""

    def __init__(self, parts: Measured) -> None:
        self._parts = parts
        self.metrics = metrics = Metrics()
        metrics.gauge("gatepost_http_requests_in_flight", "Requests that are being answered.")
        metrics.gauge("gatepost_hashing_queue", "Passwords that wait to be hashed.")
        metrics.counter("gatepost_hashing_wait_seconds", "Time that passwords have waited to be hashed.")
        metrics.counter("gatepost_hashing", "Passwords, by what became of them.", "result")
        metrics.gauge("gatepost_database_connections_in_use", "Connections that are at work.", "pool")
        metrics.gauge("gatepost_database_connections_limit", "The most connections of a pool.", "pool")
        metrics.gauge("gatepost_outbox_due", "Deliveries of events that are overdue.", "lane", summed=False)
        metrics.gauge(
            "gatepost_outbox_lag_seconds", "How long the oldest of them has been.", "lane", summed=False
        )
        metrics.counter(
            "gatepost_deliveries", "Deliveries of events, by what became of them.", "lane", "result"
        )
        metrics.counter("gatepost_limits_refused", "Requests that a limit has refused.", "limit")
        metrics.counter("gatepost_sign_ins", "Sign-ins that were tried.", "method", "result")
        metrics.counter("gatepost_cache", "Questions to what is remembered.", "cache", "result")

    def recorded(self, events: Iterable[Event]) -> None:
        """Count what the events of a unit of work tell."""
        for event in events:
            if isinstance(event, SessionStarted):
                method = "+".join(_METHODS.get(reference, reference) for reference in event.amr)
                self.metrics.add("gatepost_sign_ins", method, "success")
            elif isinstance(event, LoginFailed):
                self.metrics.add("gatepost_sign_ins", event.method, event.reason)

    async def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        self._look()
        await self._look_at_the_outbox()
        return self.metrics.text()

    @asynccontextmanager
    async def sampled(self) -> AsyncGenerator[None]:
        """Tell the other processes meanwhile how things stand here: they are asked for all of us."""
        if not self.metrics.shared:
            yield
            return
        sampling = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            with suppress(asyncio.CancelledError):
                await sampling
            self._look()

    async def _sample(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(_SAMPLE_SECONDS)

    def _look(self) -> None:
        parts, metrics = self._parts, self.metrics
        metrics.level("gatepost_http_requests_in_flight", metrics.in_flight)
        metrics.level("gatepost_hashing_queue", parts.hashing.queued)
        metrics.grown("gatepost_hashing_wait_seconds", {(): parts.hashing.waited})
        metrics.grown(
            "gatepost_hashing", {("computed",): parts.hashing.computed, ("refused",): parts.hashing.refused}
        )
        for pool, (in_use, limit) in parts.database.pools().items():
            metrics.level("gatepost_database_connections_in_use", in_use, pool)
            metrics.level("gatepost_database_connections_limit", limit, pool)
        metrics.grown("gatepost_limits_refused", {(name,): n for name, n in parts.limits.refused.items()})
        for lane, runner in parts.outbox.lanes.items():
            metrics.grown("gatepost_deliveries", {(lane, word): n for word, n in runner.results.items()})
        caches: Mapping[str, Any] = {"callers": parts.callers, "access_tokens": parts.access_tokens}
        for name, cache in caches.items():
            found: dict[tuple[str, ...], float] = {(name, "hit"): cache.hits, (name, "miss"): cache.misses}
            metrics.grown("gatepost_cache", found)

    async def _look_at_the_outbox(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                overdue = await self._parts.outbox.overdue()
        except (DatabaseUnavailable, TimeoutError):
            return  # readiness tells of that; here the last known figures stay
        now = self._parts.clock.now()
        for lane, late in overdue.items():
            lag = (now - late.since).total_seconds() if late.since else 0.0
            self.metrics.level("gatepost_outbox_due", late.count, lane)
            self.metrics.level("gatepost_outbox_lag_seconds", lag, lane)


def readiness(database: Database, redis_url: str | None) -> Readiness:
    """Return what asks the things that the service depends on."""
    checks = [
        Check("database", database.ping),
        Check("schema", lambda: require_current(database)),
    ]
    if redis_url is not None:
        # Limits and caches do without it, more strictly and more slowly.
        checks.append(Check("redis", _pinging(redis_url), vital=False))
    return Readiness(checks)


def _pinging(redis_url: str) -> Callable[[], Any]:
    async def ping() -> None:
        client = connect(redis_url, 1.0)
        try:
            await client.ping()
        finally:
            await client.aclose()

    return ping
