"""The longest that a request may take."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core.deadline import Limit
from gatepost.core.errors import Unavailable
from gatepost.core.http.problems import Problems

__all__ = ["Deadline", "TimedOut"]


class TimedOut(Unavailable):
    """The request took longer than GATEPOST_REQUEST_TIMEOUT. Nothing of it was kept."""

    code = "timed-out"
    sentence = "The request took too long. Try again shortly."


class Deadline:
    """Ends a request after `seconds` with 503.

    Its unit of work is undone, as for any error: a transaction that has not begun to commit rolls back and gives its
    connection back, and one that has is not cut off.
    """

    def __init__(self, app: ASGIApp, problems: Problems, seconds: float) -> None:
        self._app = app
        self._problems = problems
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        limit = Limit(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, send_on)
        except TimeoutError:
            if started or not limit.passed:
                raise  # half an answer cannot be taken back; and others' time limits are theirs to explain
            answer = self._problems.of(TimedOut(), scope.get("gatepost.request_id"))
            await answer(scope, receive, send)
