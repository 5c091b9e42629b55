"""The surface of the pages: an application beside the API whose refusals are pages, too."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.core.errors import Unauthenticated
from gatepost.core.http.cookies import Cookies
from gatepost.core.http.problems import MEDIA_TYPE, Problems
from gatepost.core.http.route_table import RouteTable, route_path
from gatepost.core.principal import ReauthenticationRequired
from gatepost.pages.rendering import Pages
from gatepost.pages.visit import OF_PAGES, SignInFirst, Visit

__all__ = ["HtmlRefusals", "Surfaces", "pages_surface"]


def pages_surface(
    gatepost: Any, problems: Problems, routers: Iterable[APIRouter], telemetry: Any = None
) -> FastAPI:
    """Return the application of the pages."""
    pages = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=telemetry
    )
    pages.state.gatepost = gatepost
    pages.state.problems = problems
    problems.install(pages)
    pages.add_exception_handler(SignInFirst, _sign_in_first)
    pages.add_exception_handler(Unauthenticated, _once_more)
    for router in routers:
        pages.include_router(router)
    return pages


async def _sign_in_first(_request: Request, error: Exception) -> Response:
    """Lead somebody to the sign-in, and from there back to what they asked for."""
    if not isinstance(error, SignInFirst):
        raise error
    visit = error.visit
    # What was sent cannot be sent again by a redirect, but its page can be opened.
    answer = visit.go(
        visit.place("/sign-in", {"return_to": visit.here}), "session-over" if error.over else ""
    )
    if error.over:
        visit.home.cookies.clear(answer, visit.home.cookies.session_name)
    return answer


async def _once_more(request: Request, error: Exception) -> Response:
    """Lead somebody whose sign-in does not suffice to where they show that it is still them, and back."""
    visit = Visit(request, None)
    page = "/account/confirm" if isinstance(error, ReauthenticationRequired) else "/sign-in"
    return visit.go(visit.place(page, {"return_to": visit.here}))


class Surfaces:
    """Hands each request to its surface, as `HtmlRefusals` has told."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        surface = self._pages if OF_PAGES in scope else self._api
        await surface(scope, receive, send)


class HtmlRefusals:
    """Outside all that refuses: tells whether a request is for a page, and makes a page of what refuses it.

    For a page are the paths of pages, and what a browser opens that is nowhere.
    """

    def __init__(
        self, app: ASGIApp, pages: Pages, cookies: Cookies, own: RouteTable, everywhere: RouteTable
    ) -> None:
        self._app = app
        self._pages = pages
        self._cookies = cookies
        self._own = own
        self._everywhere = everywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_for_a_page(scope):
            await self._app(scope, receive, send)
            return
        scope[OF_PAGES] = {}
        await self._app(scope, receive, _Translated(send, lambda body: self._page(scope, body)))

    def _is_for_a_page(self, scope: Scope) -> bool:
        path = route_path(scope)
        if self._own.template(path) is not None:
            return True
        opened = any(name == b"sec-fetch-mode" and value == b"navigate" for name, value in scope["headers"])
        return opened and self._everywhere.template(path) is None

    def _page(self, scope: Scope, problem: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        request = Request(scope)
        chosen = request.cookies.get(self._cookies.language_name)
        # What a visit has found out, if the request came so far: the person's own.
        own = scope[OF_PAGES].get("language")
        language = self._pages.language(own, chosen, accept=request.headers.get("accept-language"))
        base, path = self._pages.base(scope.get("root_path", "")), route_path(scope)
        # A path that is not ours is a stranger's word: no link is made of it.
        opens = "GET" in (self._own.methods(path) or ())
        told = {
            "address": f"{base}{path}" if opens else "",
            "again": f"{base}{path if opens else '/account'}",
        }
        page = self._pages.render("error", language, base=base, here=path, problem=problem, **told)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Language": page.language,
            "Content-Security-Policy": self._pages.policy,
            "Vary": "Accept-Language, Cookie",
        }
        return page.html.encode(), headers


class _Translated:
    """A `send` that holds a problem document back until all of it is there, and sends a page in its place."""

    def __init__(self, send: Send, page: Callable[[dict[str, Any]], tuple[bytes, dict[str, str]]]) -> None:
        self._send = send
        self._page = page
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._say(self._start)

    async def _say(self, start: Message) -> None:
        body, headers = self._page(json.loads(self._body))
        new = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        new.append((b"content-length", str(len(body)).encode()))
        known = {name for name, _ in new}
        kept = [(name, value) for name, value in start["headers"] if name not in known]
        await self._send({**start, "headers": [*kept, *new]})
        await self._send({"type": "http.response.body", "body": body})


def _is_problem(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(MEDIA_TYPE.encode())
        for name, value in message["headers"]
    )
