"""The time that one request may take, and the moment from which it is no longer cut off."""

import asyncio
from contextvars import ContextVar
from types import TracebackType

__all__ = ["Limit", "lift_deadline"]

_current: ContextVar[asyncio.Timeout | None] = ContextVar("gatepost_deadline", default=None)


class Limit:
    """Cancels what runs inside after so many seconds, unless it lifts the deadline. Raises TimeoutError then.

    Others raise that too: `passed` tells afterwards whether it was this deadline.
    """

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)

    @property
    def passed(self) -> bool:
        """Whether the time was up before the end."""
        return self._timeout.expired()

    async def __aenter__(self) -> None:
        self._before = _current.set(self._timeout)
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._before)
        await self._timeout.__aexit__(kind, error, trace)


def lift_deadline() -> None:
    """Let the current request run to its end.

    Called before a commit: cut off in the middle, nobody would know whether it holds, and the client would be told
    of a failure that is none. What follows has its own limits, those of the database.
    """
    timeout = _current.get()
    if timeout is not None and not timeout.expired():
        timeout.reschedule(None)
