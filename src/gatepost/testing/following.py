"""Follows the moved clock before anything is done about a request. Plain ASGI."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.core.http.route_table import route_path
from gatepost.testing.clock import SharedClock

__all__ = ["FollowClock"]


class FollowClock:
    """Has everything behind it happen at the time of the last move. `probed` are paths that must not wait for it."""

    def __init__(self, app: ASGIApp, clock: SharedClock, probed: Collection[str] = ()) -> None:
        self._app = app
        self._clock = clock
        self._probed = frozenset(probed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and route_path(scope) not in self._probed:
            await self._clock.follow()
        await self._app(scope, receive, send)
