"""A Redis that runs for one test, and waiting for what follows from what becomes of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

import pytest

from tests.own_redis import OwnRedis

__all__ = ["running_redis", "until"]


@asynccontextmanager
async def running_redis(directory: Path) -> AsyncGenerator[OwnRedis]:
    """Yield a Redis that runs; skip the test where there is none."""
    if which("redis-server") is None:
        pytest.skip("no Redis on this machine")
    redis = OwnRedis(directory)
    await redis.start()
    try:
        yield redis
    finally:
        redis.kill()


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until the condition is met; raise TimeoutError if that takes too long."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  Redis and the service tell no test when they are ready
            await asyncio.sleep(0.005)
