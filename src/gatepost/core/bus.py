"""Messages between processes through Redis: what each must forget, and that everybody has."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from gatepost.core.ids import new_id
from gatepost.core.logging import Logger
from gatepost.core.redis import connect

__all__ = ["LEASE", "Bus", "Rememberer"]

LEASE = 1.0
"""Seconds after which nobody uses what was read before, told or not."""

_PING_SECONDS = 0.25
_UNANSWERED_PINGS = 2
_SUBSCRIBE_SECONDS = 2.0
_RECONNECT_SECONDS = 0.5


class Rememberer(Protocol):
    """Keeps what was read for a while, and forgets it when told."""

    def forget(self, topics: Collection[str]) -> None:
        """Forget what is about these; what is being read at this moment too."""
        ...

    def forget_all(self) -> None:
        """Forget everything."""
        ...


@dataclass(slots=True)
class _Receipt:
    """Who has heard one message. How many should have is known once it has been sent."""

    heard: set[str] = field(default_factory=set)
    wanted: int | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> None:
        if self.wanted is not None and len(self.heard) >= self.wanted:
            self.complete.set()


class Bus:
    """Tells every process that listens what to forget, and waits until each has. See docs/decisions/0010."""

    def __init__(self, redis_url: str | None, log: Logger) -> None:
        self._url = redis_url
        self._log = log
        self._name = new_id().hex
        self._rememberers: list[Rememberer] = []
        self._client: Any = None
        self._listening = False
        self._numbers = itertools.count()
        self._receipts: dict[str, _Receipt] = {}
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def listening(self) -> bool:
        """Whether what other processes tell arrives here, as far as we know. Without that, remember nothing."""
        return self._listening

    def add(self, rememberer: Rememberer) -> None:
        """Have it forget what this process and others tell."""
        self._rememberers.append(rememberer)

    def forget_all(self) -> None:
        """Forget everything, in this process alone."""
        for rememberer in self._rememberers:
            rememberer.forget_all()

    def tell(self, topics: Collection[str]) -> asyncio.Task[None]:
        """Forget here, at once. The task ends when all who listen have too, at the latest after `LEASE` seconds.

        Never fails. To be called between the commit and the answer that acknowledges it.
        """
        self._forget(topics)
        task = asyncio.get_running_loop().create_task(self._tell(topics))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return task

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None]:
        """Listen to other processes meanwhile, if there is a Redis."""
        if self._url is None:
            yield
            return
        async with (
            connect(self._url, LEASE) as self._client,
            connect(self._url, reconnects=False) as listener,
        ):
            listening = asyncio.create_task(self._listen(listener))
            try:
                yield
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening
                await asyncio.gather(*self._telling, return_exceptions=True)
        self._client = None

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    async def _tell(self, topics: Collection[str]) -> None:
        if self._url is None:
            return
        began = time.monotonic()
        try:
            async with asyncio.timeout(LEASE):
                await self._acknowledged(topics)
                return
        except Exception as error:  # noqa: BLE001  whatever is wrong with Redis: the change is committed
            self._log.warning("bus.unacknowledged", error=type(error).__name__)
        # Somebody may not have heard. After this nobody needs to have.
        await asyncio.sleep(began + LEASE - time.monotonic())

    async def _acknowledged(self, topics: Collection[str]) -> None:
        number = str(next(self._numbers))
        receipt = self._receipts[number] = _Receipt()
        message = " ".join([self._name, number, *topics])
        try:
            async with self._commands() as client:
                receipt.wanted = await client.publish(_changes(client), message)
            receipt.count()
            await receipt.complete.wait()
        finally:
            del self._receipts[number]

    @asynccontextmanager
    async def _commands(self) -> AsyncGenerator[Any]:
        if self._client is not None:
            yield self._client
            return
        # Outside of a lifespan, in a command say: it hears no answers, so it waits out the lease if anybody listens.
        async with connect(self._url or "", LEASE) as client:
            yield client

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    async def _listen(self, listener: Any) -> None:
        while True:
            try:
                async with listener.pubsub() as messages:
                    async with asyncio.timeout(_SUBSCRIBE_SECONDS):
                        await messages.subscribe(_changes(listener), _answers(listener, self._name))
                    await self._hear(messages)
            except Exception as error:  # noqa: BLE001  Redis gone: try again until it is back
                self._log.warning("bus.disconnected", error=type(error).__name__)
            finally:
                self._lost()
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _lost(self) -> None:
        if self._listening:
            self._listening = False
            self.forget_all()

    async def _hear(self, messages: Any) -> None:
        """Take messages until the connection breaks, or Redis is silent although it was pinged."""
        confirmed = unanswered = 0
        while True:
            message = await messages.get_message(timeout=_PING_SECONDS)
            if message is None:
                # Counted, not timed: when this process was held up itself, Redis has not been asked yet.
                if unanswered == _UNANSWERED_PINGS:
                    raise TimeoutError
                unanswered += 1
                await messages.ping()
                continue
            unanswered = 0
            if message["type"] == "subscribe":
                confirmed += 1
                self._listening = confirmed == 2
            elif message["type"] == "message":
                await self._take(message["channel"].decode(), message["data"].decode().split())

    async def _take(self, channel: str, words: list[str]) -> None:
        if channel == _answers(self._client, self._name):
            self._count(*words)
            return
        if len(words) < 2:
            # Another version may speak otherwise: what it means is unknown, so nothing may be kept.
            self.forget_all()
            return
        sender, number, *topics = words
        if sender == self._name:
            # Forgotten when it was told.
            self._count(number, sender)
            return
        self._forget(topics)
        await self._client.publish(_answers(self._client, sender), f"{number} {self._name}")

    def _count(self, number: str, listener: str) -> None:
        receipt = self._receipts.get(number)
        if receipt is not None:
            receipt.heard.add(listener)
            receipt.count()

    def _forget(self, topics: Collection[str]) -> None:
        for rememberer in self._rememberers:
            rememberer.forget(topics)


# Channels are common to all databases of a Redis: the number keeps two installations apart, as it does their keys.
def _changes(client: Any) -> str:
    return f"gatepost:{client.connection_pool.connection_kwargs.get('db', 0)}:changes"


def _answers(client: Any, name: str) -> str:
    return f"{_changes(client)}:heard:{name}"
