"""The API's documentation pages, served from here: no foreign host, no inline script."""

import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gatepost.core.http.cookies import CSRF_HEADER, SAFE_METHODS
from gatepost.core.http.problems import Problem, responses

__all__ = ["add_docs", "complete_openapi"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatepost API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout"
});
"""


def add_docs(app: FastAPI) -> None:
    """Serve Swagger UI at `/docs`."""

    async def page(_request: Request) -> Response:
        return Response(_PAGE, 200, {"Content-Security-Policy": _POLICY}, "text/html")

    async def start(_request: Request) -> Response:
        return Response(_START, 200, None, "text/javascript")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _TYPES:
            raise HTTPException(404)
        return Response(_content(name), 200, {"Cache-Control": "public, max-age=86400"}, _TYPES[name])

    routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/docs": page,
        "/docs/start.js": start,
        "/docs/{name}": asset,
    }
    for path, endpoint in routes.items():
        app.add_route(path, endpoint, include_in_schema=False)


@cache  # read once: a read from disk holds up everybody else's requests
def _content(name: str) -> bytes:
    return resources.files("fastapi_swagger").joinpath("resources", name).read_bytes()


def complete_openapi(app: FastAPI, cookie: str) -> None:
    """Add to the OpenAPI document what the framework cannot know.

    The problem schema that responses refer to, a summary of each operation, and the session's cookie with its CSRF
    token, which open whatever a bearer token opens.
    """
    generate = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            template = "#/components/schemas/{model}"
            _, found = models_json_schema([(Problem, "serialization")], ref_template=template)
            document.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])
            document["components"].setdefault("securitySchemes", {}).update(_of_browsers(cookie))
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _summarise(operation)
                    _open_to_browsers(path, method, operation)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete


def _of_browsers(cookie: str) -> dict[str, Any]:
    return {
        "SessionCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "The session of a browser, from `POST /session`. No script can read it.",
        },
        "CsrfToken": {
            "type": "apiKey",
            "in": "header",
            "name": CSRF_HEADER,
            "description": "Goes with the cookie in everything that changes something: from the body of "
            "`POST /session`, or the header of the same name of `GET /session`.",
        },
    }


def _open_to_browsers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say of what needs a session that the cookie will do, with the token where something changes."""
    changes = method.upper() not in SAFE_METHODS
    by_cookie: dict[str, list[str]] = {"SessionCookie": [], **({"CsrfToken": []} if changes else {})}
    if "security" in operation:
        operation["security"].append(by_cookie)
    elif path == "/session" and method in {"get", "delete"}:
        # Asked by whoever has no session, too.
        operation["security"] = [by_cookie, {}]
    else:
        return
    if changes:
        operation["responses"].setdefault("403", responses(403)[403])


def _summarise(operation: dict[str, Any]) -> None:
    """Take the description's first clause, as the function's name says less; and of the tags its own, if it has one."""
    operation["summary"] = re.split(r"[:.;,(]", operation["description"])[0].strip()
    operation["tags"] = operation["tags"][-1:]
