"""What traces are not to see of a request: they go to others, and people put secrets into addresses."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.core.http.route_table import RouteTable, route_path

__all__ = ["Unveil", "Veil"]

_VEILED = "gatepost.veiled"
_UNMATCHED = "/unmatched"


class Veil:
    """Outside the framework, which makes the spans: shows it the template of the path, and no query."""

    def __init__(self, app: ASGIApp, routes: RouteTable) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            veiled = {name: scope[name] for name in ("path", "query_string")}
            template = self._routes.template(route_path(scope)) or _UNMATCHED
            path = scope.get("root_path", "") + template
            scope = {**scope, "path": path, "query_string": b"", _VEILED: veiled}
        await self._app(scope, receive, send)


class Unveil:
    """Inside the framework, before its router: puts back what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(scope.get(_VEILED, {}))
        await self._app(scope, receive, send)
