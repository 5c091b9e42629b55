"""The guard in a FastAPI application: a dependency that yields the caller, and answers to whom it refuses."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer

from gatepost.guard.caller import Caller, Needs
from gatepost.guard.errors import Refused
from gatepost.guard.guard import Guard

__all__ = ["attach", "require"]

_shown_in_docs = HTTPBearer(scheme_name="gatepost", bearerFormat="JWT", auto_error=False)


def attach(app: FastAPI, guard: Guard) -> None:
    """Open the guard for as long as the application runs, and answer its refusals as problem documents."""
    app.add_exception_handler(Refused, _answer)  # ty: ignore[invalid-argument-type]  it gets no other
    own = app.router.lifespan_context

    @asynccontextmanager
    async def both(host: FastAPI) -> AsyncGenerator[Any]:
        async with guard, own(host) as state:
            yield state

    app.router.lifespan_context = both


def require(
    guard: Guard, *scopes: str, max_age: float | None = None, acr: Collection[str] = ()
) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency: who is calling, with these scopes, authenticated so lately, in one of these ways."""
    needs = Needs.of(*scopes, max_age=max_age, acr=acr)

    async def check(request: Request, _shown: Annotated[Any, Depends(_shown_in_docs)]) -> Caller:
        """Return who is calling. Raises Refused."""
        scope = request.scope
        raw: bytes | None = scope.get("raw_path")
        path = raw.partition(b"?")[0].decode("latin-1") if raw is not None else quote(scope["path"])
        return await guard.check(scope["headers"], method=scope["method"], path=path, needs=needs)

    return check


async def _answer(_request: Request, refused: Refused) -> Response:
    """Answer a refusal with a problem document (RFC 9457) and its challenge."""
    headers = {"Cache-Control": "no-store"}
    if refused.www_authenticate is not None:
        headers["WWW-Authenticate"] = refused.www_authenticate
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    body = {
        "type": f"urn:gatepost:problem:{refused.code}",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.sentence,
        "code": refused.code,
    }
    return Response(json.dumps(body), refused.status, headers, "application/problem+json")
