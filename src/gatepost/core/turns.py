"""A few places and a bounded queue before them, fair between those who wait."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

__all__ = ["QueueFull", "Turns"]

# The most of the queue that one source may fill.
_SHARE = 4
# How much the newest stay counts when the usual length of a stay is estimated.
_NEWEST = 0.1
# The part of the deadline that may be expected to pass: stays last longer than lately when a crowd has come.
_MARGIN = 0.5


class QueueFull(Exception):
    """There is no turn in time. `seconds`: when there may be one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__("no turn in time")


class Turns:
    """Gives out `places`; lets at most `longest` wait, nobody for more than `deadline` seconds.

    Within a rank sources take turns, so that one who asks a hundred times delays the others by one turn, and no
    source fills more than a quarter of the queue. Who cannot be served before the deadline, as stays have lasted
    lately, is refused at once: an answer that comes too late costs as much as one in time.
    """

    def __init__(
        self, places: int, longest: int, deadline: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = places
        self._longest = longest
        self._deadline = deadline
        self._now = now
        self._taken = 0
        self._waiting = 0
        self._stay = 0.0
        self._ranks: dict[int, OrderedDict[str, deque[asyncio.Future[None]]]] = {}

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return self._waiting

    @property
    def expected_wait(self) -> float:
        """How long, in seconds, who comes now may have to wait."""
        return (self._waiting + 1) * self._stay / self._places

    @asynccontextmanager
    async def taken(self, rank: int, source: str = "") -> AsyncGenerator[None]:
        """Hold a place meanwhile. A lower rank goes first. Raises QueueFull."""
        if self._taken < self._places and not self._waiting:
            self._taken += 1
        else:
            await self._wait(rank, source)
        came = self._now()
        try:
            yield
        finally:
            stay = self._now() - came
            self._stay = stay if not self._stay else self._stay + _NEWEST * (stay - self._stay)
            self._pass_on()

    def expect(self, rank: int, source: str = "") -> None:
        """Return if there would be a turn in time. Raises QueueFull."""
        if self._taken < self._places and not self._waiting:
            return
        queue = self._ranks.setdefault(rank, OrderedDict()).get(source, ())
        if (
            self._waiting >= self._longest
            or len(queue) >= max(1, self._longest // _SHARE)
            or self.expected_wait > self._deadline * _MARGIN
        ):
            raise QueueFull(self.expected_wait)

    async def _wait(self, rank: int, source: str) -> None:
        self.expect(rank, source)
        turn = asyncio.get_running_loop().create_future()
        self._ranks[rank].setdefault(source, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._deadline):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The turn came in the very moment we gave up.
                self._pass_on()
            else:
                self._leave(rank, source, turn)
            if isinstance(error, TimeoutError):
                raise QueueFull(self.expected_wait) from error
            raise

    def _leave(self, rank: int, source: str, turn: asyncio.Future[None]) -> None:
        queue = self._ranks[rank].get(source)
        if queue is None or turn not in queue:
            return  # its turn came after it was given up, and was passed on
        queue.remove(turn)
        if not queue:
            del self._ranks[rank][source]
        self._waiting -= 1

    def _pass_on(self) -> None:
        self._taken -= 1
        while self._waiting and self._taken < self._places:
            turn = self._next()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    def _next(self) -> asyncio.Future[None]:
        sources = self._ranks[min(rank for rank, sources in self._ranks.items() if sources)]
        source, queue = sources.popitem(last=False)
        turn = queue.popleft()
        if queue:
            sources[source] = queue  # behind all others
        self._waiting -= 1
        return turn
