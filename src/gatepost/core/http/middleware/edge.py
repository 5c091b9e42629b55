"""Outermost: the request's id, its access line, the headers that every answer has, the answer to a crash."""

import os
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core import logging
from gatepost.core.http.problems import Problems
from gatepost.core.http.route_table import RouteTable, route_path
from gatepost.core.logging import Logger
from gatepost.core.metrics import Metrics

__all__ = ["CrashAnswers", "Edge"]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Of pages that embed an answer; those that CORS lets read it are not affected.
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What an answer has unless its route says otherwise.
DEFAULT_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": (
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), "
        "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), "
        "xr-spatial-tracking=()"
    ),
}
TWO_YEARS = "max-age=63072000"


class Edge:
    """Gives each request an id, adds security headers, counts it, writes one access line.

    `public_url` decides on HSTS; `routes` gives a path the name under which it is counted.
    """

    def __init__(
        self, app: ASGIApp, log: Logger, public_url: str, routes: RouteTable, metrics: Metrics | None = None
    ) -> None:
        self._app = app
        self._log = log
        self._routes = routes
        self._metrics = metrics
        headers = {**SECURITY_HEADERS, **strict_transport(public_url)}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._defaults = [(name.lower().encode(), value.encode()) for name, value in DEFAULT_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics = self._metrics
        if metrics is not None:
            metrics.in_flight += 1
        started = time.perf_counter()
        request_id = _accepted_id(scope) or os.urandom(12).hex()
        scope["gatepost.request_id"] = request_id
        # Those inside may pass copies of the scope on; what they add here reaches the access line.
        told: dict[str, str] = {}
        scope["gatepost.told"] = told
        scope["gatepost.proven"] = {}
        logged_under = logging.request_id.set(request_id)
        status = 0

        async def send_out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._complete(message["headers"], request_id)}
            await send(message)

        try:
            await self._app(scope, receive, send_out)
        finally:
            seconds = time.perf_counter() - started
            route = self._routes.template(route_path(scope))
            if metrics is not None:
                metrics.in_flight -= 1
                metrics.answered(route, scope["method"], status, seconds)
            self._log.info(
                "request",
                method=scope["method"],
                path=_safe_path(scope),
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
                **told,
            )
            logging.request_id.reset(logged_under)

    def _complete(self, headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
        present = {name for name, _ in headers}
        added = [(name, value) for name, value in self._defaults if name not in present]
        return [*headers, *self._headers, *added, (b"x-request-id", request_id.encode())]


def strict_transport(public_url: str) -> Mapping[str, str]:
    """Return the HSTS header (RFC 6797) for a service reached there; none without https."""
    parts = urlsplit(public_url)
    if parts.scheme != "https":
        return {}
    # Below a path the name is somebody else's, and so are the names below it.
    return {"Strict-Transport-Security": TWO_YEARS if parts.path else f"{TWO_YEARS}; includeSubDomains"}


def _accepted_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else None
    return None


def _safe_path(scope: Scope) -> str:
    # Still percent-encoded: a decoded path could write its own lines into the log.
    raw = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("ascii", "backslashreplace")[:200]


class CrashAnswers:
    """Answers what nobody else did; inside CORS, so that a page can read that answer too."""

    def __init__(self, app: ASGIApp, problems: Problems) -> None:
        self._app = app
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            if scope["type"] != "http":
                raise
            # The last place that can answer: the log gets it, the client hears nothing of it.
            response = self._problems.on_crash(error, scope.get("gatepost.request_id"))
            if not started:
                await response(scope, receive, send)
