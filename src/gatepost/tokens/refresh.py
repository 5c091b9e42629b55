"""Refresh tokens: one that is live for each session, and what happens when an older one is shown."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, or_, update

from gatepost.core.secrets import BoundTokens, KeyRing, Unsealable, digest, opened_with, sealed_for
from gatepost.core.work import Work
from gatepost.sessions import LIVE, SEEN_EVERY, Session, SessionOptions
from gatepost.tokens import queries
from gatepost.tokens.models import RefreshFamily
from gatepost.tokens.settings import TokenOptions
from gatepost.users import User

__all__ = ["Family", "RefreshTokens", "Shown", "refresh_handles"]

_KIND = "rt"
_GENERATION_BYTES = 4
_HEAD_BYTES = 16 + _GENERATION_BYTES

_INSERT = insert(RefreshFamily.__table__)  # ty: ignore[invalid-argument-type]

# One statement decides who was first, and that the session is live: a read before it would let two through.
_ROTATE = (
    update(RefreshFamily.__table__)  # ty: ignore[invalid-argument-type]
    .where(
        RefreshFamily.session_id == bindparam("family"),
        RefreshFamily.digest == bindparam("shown"),
        or_(RefreshFamily.key_thumbprint.is_(None), RefreshFamily.key_thumbprint == bindparam("key")),
        exists()
        .where(Session.id == RefreshFamily.session_id, *LIVE)
        .where(User.id == Session.user_id, User.is_active.is_(True)),
    )
    .values(
        digest=bindparam("next_digest"),
        generation=RefreshFamily.generation + 1,
        successor_sealed=bindparam("sealed"),
        rotated_before_at=RefreshFamily.rotated_at,
        rotated_at=bindparam("now"),
    )
    .returning(
        RefreshFamily.session_id,
        RefreshFamily.user_id,
        RefreshFamily.client_id,
        RefreshFamily.scope,
        RefreshFamily.expires_at,
        RefreshFamily.key_thumbprint,
        RefreshFamily.rotated_before_at,
    )
)


_SEEN = (
    update(Session.__table__)  # ty: ignore[invalid-argument-type]
    .where(Session.id == bindparam("seen"), Session.last_seen_at <= bindparam("before"))
    .values(last_seen_at=bindparam("now"))
)


class LiveSession(Protocol):
    """What a token needs to know of the session it speaks for."""

    @property
    def id(self) -> UUID: ...
    @property
    def user_id(self) -> UUID: ...
    @property
    def client_id(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def key_thumbprint(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Family:
    """A session as its refresh token knows it, and the refresh token that is live now."""

    id: UUID
    user_id: UUID
    client_id: str
    expires_at: datetime
    key_thumbprint: str | None
    scope: str
    token: str = field(repr=False)


class Shown(Enum):
    """What a token that is not the live one may be."""

    UNKNOWN = "unknown"
    """Not one that this database knows to have been given out."""
    SUPERSEDED = "superseded"
    """Used twice over within the window: whoever shows it came too late, and is no thief for that."""
    REUSED = "reused"


def refresh_handles(ring: KeyRing) -> BoundTokens:
    """Return what makes refresh tokens and knows them."""
    return BoundTokens(_KIND, _HEAD_BYTES, ring.derive_all("refresh tokens"))


class RefreshTokens:
    """The families. Each is one row, in which the token that is used is replaced by its successor.

    A token names its session and its place in the line, so that every one that was ever given out is known again
    without being kept. The successor is sealed so that only its predecessor opens it: within `refresh_grace` the
    same token shown again is answered with the same successor, which the database alone does not give away.
    """

    def __init__(
        self, work: Work, handles: BoundTokens, ring: KeyRing, options: TokenOptions, sessions: SessionOptions
    ) -> None:
        self._work = work
        self._handles = handles
        self._seals = ring.derive_all("refresh token successors")
        self._options = options
        self._sessions = sessions

    async def begin(self, session: LiveSession, scope: str) -> str:
        """Return the first refresh token of a session."""
        token = self._make(session.id, 1)
        row = {
            "session_id": session.id,
            "user_id": session.user_id,
            "client_id": session.client_id,
            "scope": scope,
            "expires_at": session.expires_at,
            "key_thumbprint": session.key_thumbprint,
            "digest": digest(token),
            "generation": 1,
            "rotated_at": self._work.now,
            "rotated_before_at": None,
            "successor_sealed": None,
        }
        await self._work.execute(_INSERT, row)
        return token

    def session_of(self, token: str) -> UUID | None:
        """Return the session that a token names; None if the token is none of ours."""
        head = self._handles.head(token)
        return UUID(bytes=head[:16]) if head else None

    async def rotate(self, shown: str, key_thumbprint: str | None = None) -> Family | None:
        """Replace the live token by its successor; None if it is not that of a live session, or of another key."""
        head = self._handles.head(shown)
        if head is None:
            return None
        session_id, generation = UUID(bytes=head[:16]), int.from_bytes(head[16:])
        successor = self._make(session_id, generation + 1)
        now = self._work.now
        parameters = {
            "family": session_id,
            "shown": digest(shown),
            "key": key_thumbprint,
            "next_digest": digest(successor),
            "sealed": sealed_for(shown, self._seals[0], successor.encode()),
            **self._sessions.bounds(now),
        }
        row = (await self._work.execute(_ROTATE, parameters)).first()
        if row is None:
            return None
        if now - row.rotated_before_at >= SEEN_EVERY:
            await self._work.execute(_SEEN, {"seen": session_id, "now": now, "before": now - SEEN_EVERY})
        return _family(row, successor)

    async def is_of_another_key(self, session_id: UUID, key_thumbprint: str | None) -> bool:
        """Tell whether a family is bound to a key that whoever shows its token has not proven."""
        row = (await self._work.execute(queries.FAMILY, {"session_id": session_id})).first()
        return row is not None and row.key_thumbprint not in {None, key_thumbprint}

    async def repeated(self, shown: str) -> Family | Shown:
        """Say what a token is that was not rotated although its session is live, and answer a repeat in time."""
        head = self._handles.head(shown)
        if head is None:
            return Shown.UNKNOWN
        asked = {"session_id": UUID(bytes=head[:16])}
        row = (await self._work.execute(queries.FAMILY, asked)).first()
        if row is None:
            return Shown.UNKNOWN
        return self._judged(shown, row, row.generation - int.from_bytes(head[16:]))

    def _judged(self, shown: str, row: Any, behind: int) -> Family | Shown:
        """Say what a token is that is so many generations behind the live one."""
        now = self._work.now
        if behind < 1:
            # Ahead of the database: it was restored from a copy of before.
            return Shown.UNKNOWN
        if behind == 1 and now - row.rotated_at < self._options.refresh_grace:
            successor = self._opened(shown, row.successor_sealed)
            return _family(row, successor) if successor else Shown.UNKNOWN
        if (
            behind == 2
            and row.rotated_before_at
            and now - row.rotated_before_at < self._options.refresh_grace
        ):
            return Shown.SUPERSEDED
        return Shown.REUSED

    def _make(self, session_id: UUID, generation: int) -> str:
        return self._handles.make(session_id.bytes + generation.to_bytes(_GENERATION_BYTES))

    def _opened(self, shown: str, sealed: bytes) -> str | None:
        for key in self._seals:
            try:
                return opened_with(shown, key, sealed).decode()
            except Unsealable:
                continue
        return None


def _family(row: Any, token: str) -> Family:
    return Family(
        row.session_id, row.user_id, row.client_id, row.expires_at, row.key_thumbprint, row.scope, token
    )
