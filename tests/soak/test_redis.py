"""Redis is killed, emptied, frozen, or full: nobody notices, and no limit opens."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from tests.make import PASSWORD
from tests.soak.cluster import Cluster, client_at
from tests.soak.load import percentile
from tests.soak.record import record
from tests.soak.trouble import troubled

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

PROCESSES = 4
# Sign-ups for one mailbox: five at once, then one each twelve seconds.
BURST = 5
STEP = 12.0
FAULT_SECONDS = 12.0
GUESSES_A_SECOND = 20


@dataclass
class Flood:
    """Sign-ups for one mailbox, far beyond its limit: what became of them."""

    mailbox: str
    statuses: list[int] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def admitted(self) -> int:
        """How many the limit has let through."""
        return sum(status != 429 for status in self.statuses)

    def most(self, counting: int) -> int:
        """How many may be let through, if so many count, each for itself."""
        return counting * (BURST + int(self.seconds / STEP) + 1)

    async def ask(self, client: httpx2.AsyncClient) -> None:
        account = {"email": self.mailbox, "password": PASSWORD}
        self.statuses.append((await client.post("/users/", json=account)).status_code)


@asynccontextmanager
async def flooded(cluster: Cluster, mailbox: str) -> AsyncGenerator[Flood]:
    """Ask for one mailbox meanwhile, over and over."""
    flood = Flood(mailbox)
    async with client_at(cluster.url) as client, asyncio.TaskGroup() as asking:
        ended = asyncio.Event()

        async def go_on() -> None:
            while not ended.is_set():
                asking.create_task(flood.ask(client))
                await asyncio.sleep(1 / GUESSES_A_SECOND)

        asking.create_task(go_on())
        yield flood
        flood.seconds = time.monotonic() - flood.began
        ended.set()


async def kill(cluster: Cluster) -> None:
    cluster.redis.kill()
    await asyncio.sleep(FAULT_SECONDS)
    await cluster.redis.start()


async def freeze(cluster: Cluster) -> None:
    cluster.redis.tell(signal.SIGSTOP)
    await asyncio.sleep(FAULT_SECONDS)
    cluster.redis.tell(signal.SIGCONT)


async def fill(cluster: Cluster) -> None:
    client: Any = Redis.from_url(cluster.redis.url)
    async with client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(FAULT_SECONDS)
        await client.config_set("maxmemory", "0")


async def empty(cluster: Cluster) -> None:
    """Empty it once, under load: what it has counted is gone, and nothing else."""
    client: Any = Redis.from_url(cluster.redis.url)
    async with client:
        await asyncio.sleep(FAULT_SECONDS / 2)
        await client.flushall()
        await client.script_flush()
        await asyncio.sleep(FAULT_SECONDS / 2)


# What is done; how many count then, each for itself: all processes, and Redis before they notice; or Redis, twice.
FAULTS: dict[str, tuple[Callable[[Cluster], Awaitable[None]], int]] = {
    "killed": (kill, PROCESSES + 1),
    "emptied": (empty, 2),
    "frozen": (freeze, PROCESSES + 1),
    "full": (fill, PROCESSES + 1),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_f12_redis_is(cluster: Cluster, name: str) -> None:
    fault, counting = FAULTS[name]
    async with troubled(cluster, f"f12-{name}") as trouble:
        async with trouble.at_work(), flooded(cluster, f"flood-{trouble.load.label}@example.com") as flood:
            await fault(cluster)
        # Everybody has found it again by now.
        async with flooded(cluster, f"afterwards-{trouble.load.label}@example.com") as afterwards:
            await asyncio.sleep(STEP / 4)
    load = trouble.load
    record(
        f"f12-{name}",
        **trouble.figures,
        p99_ms=[
            percentile([each for each in load.answers if each.at < trouble.began], 0.99),
            percentile([each for each in load.answers if trouble.began < each.at < trouble.ended], 0.99),
        ],
        asked=len(flood.statuses),
        admitted=flood.admitted,
        admitted_at_most=flood.most(counting),
        admitted_afterwards=f"{afterwards.admitted} of {len(afterwards.statuses)}",
    )
    # Nobody who has done nothing wrong is refused: what is true stands in PostgreSQL.
    assert load.failed(trouble.began) == []
    assert all(ready for _, ready, _ in trouble.health.ready)
    assert flood.admitted <= flood.most(counting)
    assert 429 in flood.statuses
    assert set(flood.statuses) <= {200, 400, 429}
    assert BURST <= afterwards.admitted <= BURST + 1
    await trouble.judge(longest=4.0)
