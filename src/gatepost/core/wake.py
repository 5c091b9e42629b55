"""Telling outbox workers that there is something to do. Only a hint: polling is the truth."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from gatepost.core.logging import Logger
from gatepost.core.redis import connect

__all__ = ["Bell", "Wake"]

CHANNEL = "gatepost:outbox"
_RECONNECT_SECONDS = 2.0


class Bell:
    """What one waits for who is to be woken. Rung while nobody waits, it is heard by the next wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when rung, at the latest after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Wake:
    """Wakes the worker of this process and, through Redis, those of all others."""

    def __init__(self, redis_url: str | None, log: Logger) -> None:
        self._bells: list[Bell] = []
        self._url = redis_url
        self._log = log
        self._redis: Any = None
        self._telling: set[asyncio.Task[None]] = set()

    def now(self) -> None:
        """Wake the workers. Never waits and never fails."""
        self._ring()
        if self._redis is not None:
            task = asyncio.get_running_loop().create_task(self._tell())
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def bell(self) -> Bell:
        """Return what is rung from now on. Each who waits has one of their own: nobody takes another's call."""
        bell = Bell()
        self._bells.append(bell)
        return bell

    def _ring(self) -> None:
        for bell in self._bells:
            bell.ring()

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None]:
        """Listen to other processes meanwhile, if there is a Redis."""
        if self._url is None:
            yield
            return
        self._redis = connect(self._url)
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await asyncio.gather(*self._telling, return_exceptions=True)
            await self._redis.aclose()
            self._redis = None

    async def _tell(self) -> None:
        try:
            await self._redis.publish(CHANNEL, b"")
        except Exception as error:  # noqa: BLE001  Redis gone: the others find out by polling
            self._log.debug("wake.untold", error=type(error).__name__)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as messages:
                    await messages.subscribe(CHANNEL)
                    async for message in messages.listen():
                        if message["type"] == "message":
                            self._ring()
            except Exception as error:  # noqa: BLE001  Redis gone: try again until it is back
                self._log.warning("wake.disconnected", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)
