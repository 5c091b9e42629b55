"""Bodies: how large, and how long they may take to arrive."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core.http.problems import refusal

__all__ = ["BodyLimit"]

# No route reads theirs.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class BodyLimit:
    """Takes the whole body before anything else happens, so that a slow client holds nothing but its connection.

    Refuses bodies over `limit` bytes, by their stated length at once, otherwise while they arrive; and those that
    have not come after `seconds`.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if stated is not None and not (len(stated) <= 20 and stated.isdigit() and int(stated) <= self._limit):
            body = "content-too-large"
        elif scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        else:
            body = await self._read(receive)
        if isinstance(body, bytes):
            await self._app(scope, replayed(body, receive), send)
            return
        answer = refusal(body, scope.get("gatepost.request_id"), {"Connection": "close"})
        await answer(scope, receive, send)

    async def _read(self, receive: Receive) -> bytes | str:
        """Return the body, or the code of what is wrong with it."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read_all(receive)
        except TimeoutError:
            return "body-too-slow"

    async def _read_all(self, receive: Receive) -> bytes | str:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                # What came so far is not what the client meant to send.
                return "body-incomplete"
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                return "content-too-large"
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body first and then what the server says."""
    given = False

    async def again() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
