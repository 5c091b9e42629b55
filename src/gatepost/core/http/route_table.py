"""Which paths there are, and which methods each takes."""

from collections.abc import Iterable, Mapping

from starlette.routing import Route
from starlette.types import Scope

__all__ = ["RouteTable", "route_path"]


def route_path(scope: Scope) -> str:
    """Return the path below the mount, if the service is mounted in another application."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class RouteTable:
    """The methods of every path. A fixed path is asked before a pattern that fits it too."""

    def __init__(self, routes: Iterable[Route]) -> None:
        known = list(routes)
        methods: dict[str, set[str]] = {}
        for route in known:
            methods.setdefault(route.path, set()).update(_with_head(route.methods or set()))
        self._fixed: Mapping[str, frozenset[str]] = {
            route.path: frozenset(methods[route.path]) for route in known if not route.param_convertors
        }
        self._patterns = {
            route.path: (route.path_regex, frozenset(methods[route.path]))
            for route in known
            if route.param_convertors
        }

    def template(self, path: str) -> str | None:
        """Return the path with its parameters' names in place of their values, None if there is no such path."""
        if path in self._fixed:
            return path
        return next(
            (known for known, (pattern, _) in self._patterns.items() if pattern.fullmatch(path)), None
        )

    def methods(self, path: str) -> frozenset[str] | None:
        """Return the methods that the path takes, None if there is no such path."""
        found = self._fixed.get(path)
        if found is not None:
            return found
        return next(
            (methods for pattern, methods in self._patterns.values() if pattern.fullmatch(path)), None
        )


def _with_head(methods: set[str]) -> set[str]:
    return methods | {"HEAD"} if "GET" in methods else methods
