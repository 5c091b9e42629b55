"""Issuing, rotating and checking tokens."""

from typing import NoReturn
from uuid import UUID

from gatepost.access import permissions_of
from gatepost.core.principal import PermissionMissing, Principal
from gatepost.core.work import Work
from gatepost.sessions import SEEN_EVERY, EndReason, SessionOptions, Sessions
from gatepost.tokens import queries
from gatepost.tokens.access_token import AccessTokens
from gatepost.tokens.errors import DpopProofInvalid, RefreshRefused, ScopeInvalid, TokenInvalid
from gatepost.tokens.events import RefreshTokenReused
from gatepost.tokens.refresh import Family, LiveSession, RefreshTokens, Shown
from gatepost.tokens.schemas import TokenResponse

__all__ = ["FIRST_PARTY_SCOPE", "Tokens"]

FIRST_PARTY_SCOPE = "account"


class Tokens:
    """Access tokens and the refresh tokens behind them."""

    def __init__(
        self,
        work: Work,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        sessions: Sessions,
        session_options: SessionOptions,
    ) -> None:
        self._work = work
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._sessions = sessions
        self._session_options = session_options

    def grantable(self, requested: str | None) -> str:
        """Return the scope to grant for what was asked; all there is if nothing was. Raises ScopeInvalid."""
        if not requested or not requested.strip():
            return FIRST_PARTY_SCOPE
        if FIRST_PARTY_SCOPE not in requested.split():
            raise ScopeInvalid
        return FIRST_PARTY_SCOPE

    async def ready(self) -> None:
        """Make sure that tokens can be signed, before the transaction begins. Raises SigningKeyUnopened."""
        await self._access_tokens.ready()

    async def issue(self, session: LiveSession, scope: str) -> TokenResponse:
        """Issue an access token and the first refresh token of the session's family."""
        refresh_token = await self._refresh_tokens.begin(session, scope)
        return await self._response(session, scope, refresh_token)

    async def refresh(
        self, shown: str, scope: str | None = None, key_thumbprint: str | None = None
    ) -> TokenResponse:
        """Exchange a refresh token for the next one; the same again, shortly after, for the same next one.

        One that was used before that ends the family; one that is bound to another key than the sender's does not.
        Raises RefreshRefused, ScopeInvalid, DpopProofInvalid.
        """
        session_id = self._refresh_tokens.session_of(shown)
        if session_id is None:
            raise RefreshRefused
        await self.ready()
        family = await self._refresh_tokens.rotate(shown, key_thumbprint)
        if family is None:
            family = await self._repeated(shown, session_id, key_thumbprint)
        return await self._response(family, _narrowed(family.scope, scope), family.token)

    async def _repeated(self, shown: str, session_id: UUID, key_thumbprint: str | None) -> Family:
        if await self._refresh_tokens.is_of_another_key(session_id, key_thumbprint):
            # Not a word more: whoever stole it shall not learn what became of the session.
            raise DpopProofInvalid
        await self._need_live(session_id)
        found = await self._refresh_tokens.repeated(shown)
        if isinstance(found, Family):
            return found
        if found is Shown.SUPERSEDED:
            raise RefreshRefused("superseded")
        if found is Shown.REUSED:
            await self._end_reused(session_id)
        raise RefreshRefused

    async def _need_live(self, session_id: UUID) -> None:
        """Raise RefreshRefused with the reason if the session is over. One whose time is up is ended now."""
        ended = await self._sessions.ended(session_id)
        if ended is None:
            return
        if ended.event is None:
            await self._sessions.end(session_id, ended.reason)
            ended = await self._sessions.ended(session_id) or ended
        raise RefreshRefused(ended.reason.value, ended.event)

    async def _end_reused(self, session_id: UUID) -> NoReturn:
        victim = await self._sessions.end(session_id, EndReason.REUSE_DETECTED)
        if victim is not None:
            self._work.events.record(RefreshTokenReused(subject=victim, session_id=session_id))
        ended = await self._sessions.ended(session_id)
        raise RefreshRefused(EndReason.REUSE_DETECTED.value, ended.event if ended else None)

    async def _response(self, session: LiveSession, scope: str, refresh_token: str) -> TokenResponse:
        # Unused it would end so soon: whoever verifies by the signature alone must not believe it for longer.
        idle_at = self._work.now + self._session_options.idle_lifetime - SEEN_EVERY
        ends_at = min(session.expires_at, idle_at)
        access_token = await self._access_tokens.issue(
            session.user_id, session.id, session.client_id, scope, ends_at, session.key_thumbprint
        )
        left = int((ends_at - self._work.now).total_seconds())
        return TokenResponse(
            access_token=access_token,
            expires_in=min(self._access_tokens.lifetime, left),
            refresh_token=refresh_token,
            scope=scope,
            token_type="DPoP" if session.key_thumbprint else "bearer",
        )

    async def confirm(self, me: Principal, permission: str | None = None) -> None:
        """Ask inside the transaction whether the caller still is who they were, and still has the permission.

        Hashing may have taken seconds since they were authenticated. Raises TokenInvalid, PermissionMissing.
        """
        asked = {"session_id": me.session_id, "user_id": me.subject}
        bounds = self._session_options.bounds(self._work.now)
        rows = (await self._work.execute(queries.STILL, asked | bounds)).all()
        if not rows:
            raise TokenInvalid
        if permission is not None and permission not in permissions_of(row.role for row in rows):
            raise PermissionMissing(required=permission)


def _narrowed(granted: str, requested: str | None) -> str:
    """Return the scope of an access token: what was granted, or less (RFC 6749, section 6). Raises ScopeInvalid."""
    if not requested or not requested.strip():
        return granted
    wanted = set(requested.split())
    if not wanted <= set(granted.split()):
        raise ScopeInvalid
    return " ".join(sorted(wanted))
