"""A fault under load, and what became of those who met it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.soak.cluster import Cluster
from tests.soak.load import Load, Tokens, loaded
from tests.soak.record import judge
from tests.soak.watch import Health, watched

__all__ = ["AFTERWARDS", "BEFORE", "Trouble", "people", "troubled"]

BEFORE = 4.0
AFTERWARDS = 12.0  # seconds; the promise is ten


class Trouble:
    """One fault under load: when it began and ended."""

    def __init__(self, load: Load, health: Health) -> None:
        self.load = load
        self.health = health
        self.began = 0.0
        self.ended = 0.0

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """Let clients live before, during and after what is done in here."""
        await asyncio.sleep(BEFORE)
        self.began = time.monotonic()
        yield
        self.ended = time.monotonic()
        await asyncio.sleep(AFTERWARDS)

    @property
    def figures(self) -> dict[str, Any]:
        load, health = self.load, self.health
        return {
            "fault_seconds": round(self.ended - self.began, 1),
            "answers": load.counted(self.began),
            "longest_answer": round(load.longest(self.began), 2),
            "not_ready_after": health.red_after(self.began),
            "ready_again_after": health.green_after(self.ended),
            "probe_longest": health.longest,
            "recovered_after": round(load.recovered_after(self.ended), 2),
            "keys": f"{sum(status == 200 for status, _ in health.keys)}/{len(health.keys)}",
            "keys_longest": health.keys_longest,
            "requests_a_second": [
                round(load.goodput(self.began - BEFORE, self.began)),
                round(load.goodput(self.ended + 2, self.ended + AFTERWARDS)),
            ],
            "taken_by_others": load.neighbours.share(),
        }

    async def judge(self, longest: float) -> None:
        """Fail unless everything is as before within ten seconds, and nobody waited longer than `longest`."""
        slowed = self.load.neighbours.slowed()
        assert self.load.recovered_after(self.ended) < 10.0
        assert self.health.green_after(self.ended) < 10.0
        assert self.load.longest(self.began) < longest * slowed
        assert {status for status, _ in self.health.keys} == {200}
        assert self.health.longest < 1.5 * slowed
        await judge(self.load)


@asynccontextmanager
async def troubled(cluster: Cluster, label: str) -> AsyncGenerator[Trouble]:
    async with watched(cluster) as health, loaded(cluster, label) as load:
        yield Trouble(load, health)


async def people(load: Load, client: httpx2.AsyncClient, count: int) -> list[Tokens]:
    """Sign up and sign in so many people."""
    found: list[Tokens] = []
    for number in range(count):
        email = f"{load.label}-{number}@example.com"
        assert await load.sign_up(client, email)
        tokens = await load.sign_in(client, email)
        assert tokens is not None
        found.append(tokens)
    return found
