"""The credential of a request, whichever way it travels, whose it is, and what a host's route asks of them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer
from starlette.requests import Request

from gatepost.core.clock import Clock
from gatepost.core.durations import duration
from gatepost.core.errors import Unauthenticated
from gatepost.core.http.cookies import Cookies
from gatepost.core.http.route_table import route_path
from gatepost.core.principal import ACR_LEVELS, Principal
from gatepost.tokens import (
    Authenticated,
    Authentication,
    DpopProofInvalid,
    DpopProofNeeded,
    SenderKeys,
    TokenInvalid,
)

__all__ = ["Credentials", "CurrentUser", "current_user_of", "requirement"]

CurrentUser = Callable[..., Awaitable[Principal]]
"""A dependency of a route: who is calling."""


class Credentials:
    """Reads the access token of a request, or the cookie of a browser's session, and the proof of the sender's key."""

    def __init__(
        self, authentication: Authentication, cookies: Cookies, sender_keys: SenderKeys, issuer: str
    ) -> None:
        self._authentication = authentication
        self._cookies = cookies
        self._sender_keys = sender_keys
        self._issuer = issuer

    async def caller(self, request: Request) -> Authenticated | None:
        """Return the caller, None if no credential was sent.

        A token in the header counts before the cookie. With a cookie, what changes something must come from an allowed
        page and bring its CSRF token. Raises TokenInvalid, SessionOver, DpopProofNeeded, CsrfRefused.
        """
        header = request.headers.get("authorization")
        if header is None:
            found = await self.browser(request)
            if found is not None:
                self._cookies.need_consent(request, request.cookies[self._cookies.session_name])
            return found
        scheme, _, token = header.partition(" ")
        scheme, token = scheme.casefold(), token.strip()
        if scheme not in {"bearer", "dpop"} or not token:
            raise TokenInvalid("Send the access token as `Authorization: Bearer …`.")
        found = await self._authentication.caller(token)
        await self._need_sender(request, scheme, token, found.principal.key_thumbprint)
        return found

    async def _need_sender(self, request: Request, scheme: str, token: str, bound_to: str | None) -> None:
        """Raise DpopProofNeeded unless the sender holds the key that the token is bound to, if it is."""
        if bound_to is None:
            if scheme == "dpop":
                raise TokenInvalid("This token is bound to no key: send it as `Authorization: Bearer …`.")
            return
        if scheme != "dpop":
            raise DpopProofNeeded
        try:
            shown = await self.sender_key(request, token)
        except DpopProofInvalid as error:
            raise DpopProofNeeded from error
        if shown != bound_to:
            raise DpopProofNeeded

    async def sender_key(self, request: Request, access_token: str | None = None) -> str | None:
        """Return the thumbprint of the key that the sender proves to hold, None without a proof.

        Asked again when the request is run again, it remembers: a proof counts once. Raises DpopProofInvalid.
        """
        shown = request.headers.getlist("dpop")
        if not shown:
            return None
        if len(shown) > 1:
            raise DpopProofInvalid
        proven: dict[str, str] = request.scope.setdefault("gatepost.proven", {})
        if shown[0] not in proven:
            url = self._asked(request)
            proven[shown[0]] = await self._sender_keys.proven(shown[0], request.method, url, access_token)
        return proven[shown[0]]

    def _asked(self, request: Request) -> str:
        """Return the URL that the client asked, as far as it names a place: what `Host` says counts for nothing."""
        if "gatepost.told" in request.scope:
            return self._issuer + route_path(request.scope)
        # A route of the host that embeds us, beside our mount and under the same origin.
        public = urlsplit(self._issuer)
        return f"{public.scheme}://{public.netloc}{request.scope['path']}"

    async def browser(self, request: Request) -> Authenticated | None:
        """Return whose session the browser's cookie is, None if it has none. Raises TokenInvalid, SessionOver."""
        cookie = request.cookies.get(self._cookies.session_name)
        return None if cookie is None else await self._authentication.browser(cookie)


def current_user_of(
    authenticate: Callable[[Request], Awaitable[Principal | None]], scheme: OAuth2PasswordBearer
) -> CurrentUser:
    """Return a dependency for a host's routes: who is calling. `scheme` only shows in the documentation."""

    async def current_user(
        request: Request, _shown_in_docs: Annotated[str | None, Depends(scheme)]
    ) -> Principal:
        """Return who is calling this host's route. Raises Unauthenticated."""
        me = await authenticate(request)
        if me is None:
            raise Unauthenticated("Not authenticated")
        return me

    return current_user


def requirement(
    current_user: CurrentUser,
    clock: Clock,
    permission: str | None,
    fresh: str | timedelta | None,
    acr: str | None,
) -> CurrentUser:
    """Return a dependency: who is calling, if that suffices. Raises ValueError for what is no duration or `acr`."""
    within = None if fresh is None else duration(fresh)
    if acr is not None and acr not in ACR_LEVELS:
        raise ValueError(f"no acr {acr!r}")

    async def check(me: Annotated[Principal, Depends(current_user)]) -> Principal:
        if permission is not None:
            me.need(permission)
        if within is not None:
            me.need_fresh(within, clock.now())
        if acr is not None:
            me.need_acr(acr)
        return me

    return check
