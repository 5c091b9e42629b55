"""Telling outbox workers that there is something to do. Only a hint: polling is the truth."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
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

    def silence(self) -> None:
        """Forget that it was rung: whoever is about to look sees what it was rung for."""
        self._event.clear()

    async def wait(self, seconds: float) -> None:
        """Return when rung, at the latest after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self.silence()


class Wake:
    """Wakes the worker of this process and, through Redis, those of all others.

    Each bell has the name of what its owner works at, so that nobody looks in vain for what another has got.
    """

    def __init__(self, redis_url: str | None, log: Logger) -> None:
        self._bells: list[tuple[str, Bell]] = []
        self._url = redis_url
        self._log = log
        self._redis: Any = None
        self._telling: set[asyncio.Task[None]] = set()

    def now(self, names: Iterable[str] = ()) -> None:
        """Wake those who work at these, or everybody. Never waits and never fails."""
        wanted = frozenset(names)
        self._ring(wanted)
        if self._redis is not None:
            task = asyncio.get_running_loop().create_task(self._tell(wanted))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def bell(self, name: str) -> Bell:
        """Return what is rung from now on. Each who waits has one of their own: nobody takes another's call."""
        bell = Bell()
        self._bells.append((name, bell))
        return bell

    def _ring(self, names: frozenset[str]) -> None:
        for name, bell in self._bells:
            if not names or name in names:
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

    async def _tell(self, names: frozenset[str]) -> None:
        try:
            await self._redis.publish(CHANNEL, ",".join(sorted(names)).encode())
        except Exception as error:  # noqa: BLE001  Redis gone: the others find out by polling
            self._log.debug("wake.untold", error=type(error).__name__)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as messages:
                    await messages.subscribe(CHANNEL)
                    async for message in messages.listen():
                        if message["type"] == "message":
                            self._ring(
                                frozenset(filter(None, message["data"].decode(errors="replace").split(",")))
                            )
            except Exception as error:  # noqa: BLE001  Redis gone: try again until it is back
                self._log.warning("wake.disconnected", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)
