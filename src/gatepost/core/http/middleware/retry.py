"""The second try, and what it needs: errors that rise, a body that can be read again."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core.errors import TransactionConflict, Unavailable
from gatepost.core.http.problems import Problems
from gatepost.core.work import UNIT_TRIES, pause_before_next

__all__ = ["CrashesRise", "Retry"]


class Retry:
    """Runs a request again whose transaction the database undid for another's sake; 503 after the last try."""

    def __init__(self, app: ASGIApp, problems: Problems) -> None:
        self._app = app
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []
        for attempt in range(UNIT_TRIES):
            try:
                await self._app(dict(scope), _recorded(messages, receive), send)
                return
            except TransactionConflict:
                await asyncio.sleep(pause_before_next(attempt))
        answer = self._problems.of(Unavailable(), scope.get("gatepost.request_id"))
        await answer(scope, receive, send)


class CrashesRise:
    """Keeps back the framework's own plain 500, which it sends before it lets the error rise.

    Those outside need the error alone: `Retry` to try again, `Edge` to answer with a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def send_on(message: Message) -> None:
            if held or (message["type"] == "http.response.start" and message["status"] == 500):
                held.append(message)
            else:
                await send(message)

        await self._app(scope, receive, send_on)
        for message in held:
            await send(message)


def _recorded(messages: list[Message], receive: Receive) -> Receive:
    position = 0

    async def again() -> Message:
        nonlocal position
        if position < len(messages):
            position += 1
            return messages[position - 1]
        message = await receive()
        if message["type"] == "http.request":
            messages.append(message)
            position += 1
        return message

    return again
