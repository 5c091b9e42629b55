"""What routes may ask for. The only place that declares dependency scopes: see DESIGN 6 of the house."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from gatepost.core.errors import Unauthenticated
from gatepost.core.principal import ClientInfo, Principal
from gatepost.core.work import Work

__all__ = [
    "PROTECTED",
    "CallerHere",
    "House",
    "WorkHere",
    "authenticated",
    "client_info",
    "house",
    "require",
    "room",
]

bearer_scheme = OAuth2PasswordBearer(tokenUrl="users/token", auto_error=False, refreshUrl="users/token")


class House(Protocol):
    """What the dependencies need of the object that holds the application."""

    def work(
        self, *, client: ClientInfo | None = None, actor: Principal | None = None
    ) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work that may change things."""
        ...

    def reading(self, *, client: ClientInfo | None = None, actor: Principal | None = None) -> Work:
        """Return a unit of work that cannot change anything."""
        ...

    def build[S](self, service: type[S], work: Work) -> S:
        """Return the service for a unit of work."""
        ...

    async def authenticate(self, request: Request) -> Principal | None:
        """Return who is calling, or None if no credential was sent. Raises Unauthenticated for a bad one."""
        ...


def house(request: Request) -> Any:
    """Return the application's Gatepost, as `House` or more."""
    return request.app.state.gatepost


def client_info(request: Request) -> ClientInfo:
    """Return where the request came from. Forwarding headers count as far as the settings name proxies."""
    # It is stored, and shown in terminals later: no NUL, which PostgreSQL refuses, and no escape sequences.
    agent = "".join(filter(str.isprintable, request.headers.get("user-agent", "")[:256]))
    origin = request.scope.get("gatepost.origin") or house(request).addresses.origin(request.scope)
    return ClientInfo(
        address=origin.address,
        user_agent=agent or None,
        request_id=request.scope.get("gatepost.request_id"),
        network=origin.network,
        shared=origin.shared,
        accept_language=request.headers.get("accept-language"),
    )


async def authenticated(request: Request) -> Principal:
    """Return who is calling, once per request. Raises Unauthenticated."""
    principal = request.scope.get("gatepost.principal")
    if principal is None:
        principal = await house(request).authenticate(request)
        if principal is None:
            raise Unauthenticated("Not authenticated")
        request.scope["gatepost.principal"] = principal
        request.scope.get("gatepost.told", {})["subject"] = str(principal.subject)
    return principal


async def _caller(
    request: Request, _shown_in_docs: Annotated[str | None, Depends(bearer_scheme)]
) -> Principal:
    return await authenticated(request)


CallerHere = Annotated[Principal, Depends(_caller)]

# For routes that authenticate by themselves: it reads the header and decides nothing.
PROTECTED = Depends(bearer_scheme)


def require(permission: str) -> Any:
    """Return a dependency that yields the caller if it has the permission. Raises PermissionMissing."""

    async def check(caller: CallerHere) -> Principal:
        caller.need(permission)
        return caller

    return Depends(check)


async def _unit_of_work(request: Request) -> AsyncIterator[Work]:
    async with house(request).work(
        client=client_info(request), actor=request.scope.get("gatepost.principal")
    ) as work:
        yield work


# Function scope: the commit is done before the first byte of the answer leaves.
WorkHere = Annotated[Work, Depends(_unit_of_work, scope="function")]


def room[S](service: type[S], *, read_only: bool = False) -> Any:
    """Return a dependency that yields the service of this request's unit of work."""

    async def for_change(request: Request, work: WorkHere) -> S:
        return house(request).build(service, work)

    async def for_reading(request: Request) -> S:
        work = house(request).reading(
            client=client_info(request), actor=request.scope.get("gatepost.principal")
        )
        return house(request).build(service, work)

    chosen: Callable[..., Any] = for_reading if read_only else for_change
    return Depends(chosen)
