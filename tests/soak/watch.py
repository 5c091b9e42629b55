"""What probes see of the services while something is wrong."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2

from tests.soak.cluster import Cluster, client_at

__all__ = ["Health", "watched"]


@dataclass
class Health:
    """What the services say of themselves: when, whether ready, and how long that took; and their public keys."""

    ready: list[tuple[float, bool, float]] = field(default_factory=list)
    keys: list[tuple[int, float]] = field(default_factory=list)

    def red_after(self, fault: float) -> float | None:
        """Return when the first said that it is not ready, in seconds after the fault."""
        return min(
            (round(at - fault, 2) for at, ready, _ in self.ready if at > fault and not ready), default=None
        )

    def green_after(self, healed: float) -> float:
        """Return when the last said so, in seconds after the end of the fault."""
        return max(
            (round(at - healed, 2) for at, ready, _ in self.ready if at > healed and not ready), default=0.0
        )

    @property
    def longest(self) -> float:
        """The longest that a probe waited, in seconds."""
        return round(max(seconds for _, _, seconds in self.ready), 2)

    @property
    def keys_longest(self) -> float:
        """The longest that somebody waited for the keys, in seconds."""
        return round(max(seconds for _, seconds in self.keys), 2)


@asynccontextmanager
async def watched(cluster: Cluster) -> AsyncGenerator[Health]:
    """Ask each service meanwhile how it is, and for its public keys, at its own port as probes do."""
    health = Health()
    tasks = [asyncio.create_task(_watch(service.url, health)) for service in cluster.services]
    try:
        yield health
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def _watch(url: str, health: Health) -> None:
    # A connection for each question: the kernel deals them out to both workers.
    async with client_at(url, timeout=10, limits=httpx2.Limits(max_keepalive_connections=0)) as client:
        while True:
            began = time.monotonic()
            answer = await client.get("/health/ready")
            now = time.monotonic()
            health.ready.append((now, answer.status_code == 200, now - began))
            keys = await client.get("/.well-known/jwks.json")
            health.keys.append((keys.status_code, time.monotonic() - now))
            await asyncio.sleep(0.1)
