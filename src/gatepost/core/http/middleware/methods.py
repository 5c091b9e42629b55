"""Which methods a path takes."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.core.http.problems import refusal
from gatepost.core.http.route_table import RouteTable, route_path

__all__ = ["Methods"]


class Methods:
    """Answers 405 with all methods of the path (RFC 9110, section 15.5.6).

    The router would name those of the first route that fits, and take a fixed path for an id under another method.
    HEAD is asked as GET: the server leaves out the content.
    """

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        methods = self._table.methods(route_path(scope))
        if methods is not None and scope["method"] not in methods:
            headers = {"Allow": ", ".join(sorted(methods))}
            answer = refusal("method-not-allowed", scope.get("gatepost.request_id"), headers)
            await answer(scope, receive, send)
            return
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        await self._app(asked, receive, send)
