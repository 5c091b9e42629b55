"""Cookies for the pages that CORS lets read an answer, and for no others."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AllowCredentials"]

_ORIGIN = b"access-control-allow-origin"
_ALLOWED = (b"access-control-allow-credentials", b"true")


class AllowCredentials:
    """Stands around the CORS middleware: says that cookies may come along wherever it has named an origin.

    The middleware itself would say so to every origin, also to those that it does not let read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"]]
                if any(name == _ORIGIN for name, _ in headers):
                    message = {**message, "headers": [*headers, _ALLOWED]}
            await send(message)

        await self._app(scope, receive, send_on)
