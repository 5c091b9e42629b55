"""Counts every request by its client before anything of it is read. Plain ASGI."""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core.http.addresses import Addresses
from gatepost.core.http.problems import Problems
from gatepost.core.http.route_table import route_path
from gatepost.core.limits import LimitExceeded, Limits, Verdict

__all__ = ["RateLimit"]


class RateLimit:
    """Finds out who is calling, for all behind it; answers 429 to those who call too often.

    `probed` are the paths that are never counted, `published` those that have a class of their own: exactly these,
    as the router sees them, whoever asks.
    """

    def __init__(
        self,
        app: ASGIApp,
        addresses: Addresses,
        limits: Limits,
        problems: Problems,
        probed: Collection[str] = (),
        published: Collection[str] = (),
    ) -> None:
        self._app = app
        self._probed = frozenset(probed)
        self._published = frozenset(published)
        self._addresses = addresses
        self._limits = limits
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = scope["gatepost.origin"] = self._addresses.origin(scope)
        path = route_path(scope)
        if not self._limits.on or path in self._probed:
            await self._app(scope, receive, send)
            return
        verdict = await self._limits.request(
            origin.network, shared=origin.shared, published=path in self._published
        )
        if not verdict.admitted:
            answer = self._problems.of(LimitExceeded(verdict), scope.get("gatepost.request_id"))
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, _telling(verdict, send))


def _telling(verdict: Verdict, send: Send) -> Send:
    """Return a `send` that adds what is left; a refusal tells of the class that refused instead."""

    async def send_out(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != 429:
            message = {**message, "headers": [*message["headers"], *verdict.headers]}
        await send(message)

    return send_out
