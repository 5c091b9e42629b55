"""The ASGI application: its surfaces, its route table, its layers of middleware."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.accounts import routes as accounts
from gatepost.core.errors import DomainError
from gatepost.core.http.addresses import Addresses
from gatepost.core.http.cookies import CSRF_HEADER, Cookies
from gatepost.core.http.docs import add_docs, complete_openapi
from gatepost.core.http.forms import FormInvalid
from gatepost.core.http.health import health, metrics
from gatepost.core.http.hosts import Hosts
from gatepost.core.http.limits import RateLimit
from gatepost.core.http.middleware import (
    AllowCredentials,
    BodyLimit,
    CrashAnswers,
    CrashesRise,
    Deadline,
    Edge,
    HeadLimits,
    Methods,
    Retry,
    Unveil,
    Veil,
)
from gatepost.core.http.problems import Problems
from gatepost.core.http.route_table import RouteTable, route_path
from gatepost.core.limits import Limits
from gatepost.core.logging import Logger
from gatepost.core.metrics import Metrics
from gatepost.exports import routes as exports
from gatepost.login import (
    FlowInvalid,
    InvalidCredentials,
    ParameterMissing,
    UnsupportedGrantType,
    step_routes,
)
from gatepost.login import routes as login
from gatepost.mfa import CodeWrong
from gatepost.mfa import routes as mfa
from gatepost.notices import routes as notices
from gatepost.pages import HtmlRefusals, Pages, Surfaces, pages_surface
from gatepost.pages import routes as pages
from gatepost.passkeys import RELATED_ORIGINS, PasskeyInvalid
from gatepost.passkeys import routes as passkeys
from gatepost.proofs import MailProofInvalid
from gatepost.sessions import routes as sessions
from gatepost.settings import Settings
from gatepost.testing import FollowClock, Testing
from gatepost.testing import routes as testing
from gatepost.tokens import (
    DpopProofInvalid,
    Metadata,
    RefreshRefused,
    ScopeInvalid,
    for_services,
    well_known_path,
)
from gatepost.tokens import routes as tokens
from gatepost.users import EmailTaken, StaleVersion
from gatepost.users import routes as users

__all__ = ["build_app", "root_routes"]


class Host(Protocol):
    """What the application needs of the Gatepost it belongs to."""

    settings: Settings
    log: Logger
    addresses: Addresses
    limits: Limits
    cookies: Cookies
    pages: Pages
    metadata: Metadata
    testing: Testing | None

    @property
    def metrics(self) -> Metrics | None:
        """Where requests are counted, None if nowhere."""
        ...

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Open what the application needs while it serves."""
        ...


# Where the contract or an RFC wants another status than the error's family has.
STATUSES: dict[type[DomainError], int] = {
    EmailTaken: 400,
    InvalidCredentials: 400,
    RefreshRefused: 400,
    UnsupportedGrantType: 400,
    ParameterMissing: 400,
    ScopeInvalid: 400,
    FlowInvalid: 400,
    MailProofInvalid: 400,
    CodeWrong: 400,
    PasskeyInvalid: 400,
    DpopProofInvalid: 400,
    FormInvalid: 400,
    StaleVersion: 412,
}

# Answered before the router: what is asked more than all else together.
SHORTCUTS: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
    ("GET", "/users/me"): accounts.own_profile,
    ("POST", "/users/token"): login.issue_token,
}


# The API's routes, in the order in which they are asked.
ROUTERS = (
    health,
    login.api,
    step_routes.steps,
    accounts.api,
    sessions.api,
    mfa.api,
    passkeys.api,
    notices.api,
    exports.api,
    users.api,
    tokens.api,
    for_services.api,
)

# Asked by probes, which know an address and no name.
PROBED = ("/health", "/health/live", "/health/ready")


def routers_of(settings: Settings) -> tuple[APIRouter, ...]:
    """Return the routers of the API: those that not every installation has only where it does."""
    optional = (
        (metrics, settings.metrics_token is not None),
        (testing.api, settings.offers_test_api),
        (passkeys.related, bool(settings.passkeys.related_origins)),
    )
    return (*ROUTERS, *(router for router, there in optional if there))


def page_routers_of(settings: Settings) -> tuple[APIRouter, ...]:
    """Return the routers of the pages."""
    return (*pages.ALWAYS, *(pages.HOSTED if settings.pages.hosted else ()))


def root_routes(gatepost: Host) -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """Return what is looked for at the root of the host that embeds us, outside of the mount."""

    async def described(request: Request) -> Response:
        return for_services.described(request, gatepost.metadata)

    settings = gatepost.settings
    # RFC 8414, section 3.1: where an issuer with a path is looked for.
    found: dict[str, Callable[[Request], Awaitable[Response]]] = {well_known_path(settings.issuer): described}
    if settings.passkeys.related_origins:
        found[RELATED_ORIGINS] = passkeys.related_origins(settings.passkeys.related_origins)
    return found


def build_app(gatepost: Host) -> ASGIApp:
    """Return the application of one Gatepost."""
    settings, problems = gatepost.settings, Problems(gatepost.log, STATUSES)
    api = api_surface(gatepost, problems)
    html = html_surface(gatepost, problems)
    html_routes = route_table(html, page_routers_of(settings))
    routes = route_table(api, (*routers_of(settings), *page_routers_of(settings)))
    if settings.telemetry:
        # Spans come from the framework: with them, everything goes through it.
        app: ASGIApp = CrashesRise(Veil(Surfaces(api, html), routes))
    else:
        app = Surfaces(Shortcuts(CrashesRise(api), problems, gatepost), CrashesRise(html))
    app = Retry(app, problems)
    app = BodyLimit(app, settings.max_body_bytes, settings.request_timeout / 3)
    app = Deadline(app, problems, settings.request_timeout)
    app = Methods(app, routes)
    # Outside production no stranger's page may reach us under its own name; in production ours alone counts.
    hosts = Hosts(settings.host_names, private=settings.environment != "production")
    app = HeadLimits(app, hosts, (*PROBED, "/metrics"))
    app = RateLimit(app, gatepost.addresses, gatepost.limits, problems, PROBED, for_services.PUBLISHED)
    if gatepost.testing is not None:
        app = FollowClock(app, gatepost.testing.clock, PROBED)
    app = CrashAnswers(app, problems)
    app = HtmlRefusals(app, gatepost.pages, gatepost.cookies, html_routes, routes)
    # Outside all that refuses: a page may read its refusals too.
    app = with_cors(app, settings.cors_origins)
    return Edge(app, gatepost.log, settings.issuer, routes, gatepost.metrics)


def with_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Let the pages of these origins call the application with their cookies, and read its answers."""
    if not origins:
        return app
    # The origins are listed one by one: a wildcard is refused by the settings.
    readable = CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "DPoP",
            "Idempotency-Key",
            "If-Match",
            CSRF_HEADER,
            "X-Request-ID",
        ],
        expose_headers=[
            "ETag",
            "Idempotency-Replayed",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "WWW-Authenticate",
            CSRF_HEADER,
            "X-Request-ID",
        ],
    )
    return AllowCredentials(readable)


def route_table(api: FastAPI, routers: Iterable[APIRouter]) -> RouteTable:
    """Return the paths of the API, those outside its document included."""
    # The application's own list holds its routers as they are; theirs hold the routes.
    return RouteTable(
        route for owner in (api, *routers) for route in owner.routes if isinstance(route, Route)
    )


def api_surface(gatepost: Host, problems: Problems) -> FastAPI:
    """Return the JSON API."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with gatepost.lifespan():
            yield

    api = FastAPI(
        title="Gatepost",
        version="0.1.0",
        description="Users, sign-in and tokens.",
        openapi_url="/openapi.json" if gatepost.settings.shows_docs else None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=telemetry(gatepost.settings),
        separate_input_output_schemas=True,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call their methods
        redirect_slashes=False,
    )
    api.state.gatepost = gatepost
    if gatepost.settings.telemetry:
        api.add_middleware(Unveil)
    problems.install(api)
    for router in routers_of(gatepost.settings):
        api.include_router(router)
    if gatepost.settings.shows_docs:
        add_docs(api)
    complete_openapi(api, gatepost.cookies.session_name)
    return api


def html_surface(gatepost: Host, problems: Problems) -> FastAPI:
    """Return the application of the pages, whose refusals `HtmlRefusals` makes pages of."""
    settings = gatepost.settings
    front = (pages.FRONT,) if settings.pages.hosted else ()
    html = pages_surface(
        gatepost,
        problems,
        (*page_routers_of(settings), *front),
        telemetry(settings) | {"auto_configure": False},
    )
    if settings.telemetry:
        html.add_middleware(Unveil)
    return html


def telemetry(settings: Settings) -> Any:
    """Return what the framework is to tell of requests."""
    # Its log records would hold what a request was refused for; ours are redacted.
    on = settings.telemetry
    return {"tracing": on, "metrics": on, "logs": False, "auto_configure": on}


class Shortcuts:
    """Answers a few exact paths without the router; everything else passes."""

    def __init__(self, app: ASGIApp, problems: Problems, gatepost: Host) -> None:
        self._app = app
        self._problems = problems
        self._gatepost = gatepost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        endpoint = SHORTCUTS.get((scope["method"], route_path(scope)))
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request({**scope, "app": _App(self._gatepost)}, receive)
        try:
            answer = await endpoint(request)
        except (DomainError, RequestValidationError, HTTPException) as error:
            answer = await self._problems.answer(request, error)
        await answer(scope, receive, send)


class _App:
    """Stands in for the framework's application, as far as `house()` asks."""

    def __init__(self, gatepost: Host) -> None:
        self.state = self
        self.gatepost = gatepost
