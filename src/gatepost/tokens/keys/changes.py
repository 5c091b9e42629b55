"""The changes of keys: each is one statement that names in its condition what it found."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, update
from sqlalchemy.exc import IntegrityError

from gatepost.core.errors import TransactionConflict
from gatepost.core.secrets import KeyRing
from gatepost.core.work import Work
from gatepost.tokens import queries
from gatepost.tokens.events import (
    SigningKeyActivated,
    SigningKeyCreated,
    SigningKeyRemoved,
    SigningKeyRevoked,
)
from gatepost.tokens.keys.pairs import Pair
from gatepost.tokens.keys.stored import StoredKeys, state_of
from gatepost.tokens.models import SigningKey
from gatepost.tokens.settings import LONGEST_LIFETIME, TokenOptions

__all__ = ["FARTHEST_END", "KeyChanges"]

# Clocks differ, and a process may sign a moment after another has switched.
_CLOCK_ALLOWANCE = timedelta(seconds=60)
_ERASED = b""

FARTHEST_END = LONGEST_LIFETIME + _CLOCK_ALLOWANCE
"""No key is kept for longer once it signs no more."""


class KeyChanges:
    """Changes the keys in one transaction. Raises TransactionConflict where another process was faster."""

    def __init__(self, work: Work, ring: KeyRing, options: TokenOptions) -> None:
        self._work = work
        self._ring = ring
        self._options = options

    async def lock(self) -> StoredKeys:
        """Return the keys, which nobody else changes before this transaction ends."""
        return StoredKeys((await self._work.execute(queries.SIGNING_KEYS_LOCKED)).all())

    async def add_next(self, pair: Pair) -> None:
        """Publish a key that signs when all have seen it."""
        now = self._work.now
        await self._add(pair, now, is_next=True, activates_at=now + self._options.key_lead)

    async def add_current(self, pair: Pair, replaces: str | None) -> None:
        """Let a new key sign at once."""
        now = self._work.now
        await self._add(pair, now, is_current=True, activated_at=now)
        self._activated(pair.kid, replaces)

    async def promote(self, row: Any, replaces: str) -> None:
        """Let the next key sign."""
        now = self._work.now
        await self._set(
            row.kid, SigningKey.is_next.is_(True), is_next=None, is_current=True, activated_at=now
        )
        self._activated(row.kid, replaces)

    async def retire(self, row: Any) -> None:
        """Let the key that signs only verify, till the last token that it signed has expired."""
        await self._set(row.kid, SigningKey.is_current.is_(True), is_current=None, **self._end_of(row))

    async def end(self, row: Any) -> None:
        """Say till when a key verifies that signs no more."""
        await self._set(row.kid, SigningKey.is_current.is_(None), **self._end_of(row))

    async def restart(self, row: Any) -> None:
        """Count the time of the next key from now."""
        starts = self._work.now + self._options.key_lead
        await self._set(row.kid, SigningKey.is_next.is_(True), activates_at=starts)

    async def revoke(self, row: Any) -> None:
        """Refuse what the key signed. The row stays till all of that would have expired, for people to see."""
        fields = {"is_current": None, "is_next": None, "revoked_at": self._work.now, **self._end_of(row)}
        await self._set(row.kid, SigningKey.revoked_at.is_(None), **fields)
        state = state_of(row).value
        self._work.events.record(SigningKeyRevoked(subject=None, kid=row.kid, state=state))

    async def remove(self, row: Any) -> None:
        """Delete a key, unless it signs."""
        await self._one(delete(SigningKey).where(SigningKey.kid == row.kid, SigningKey.is_current.is_(None)))
        self._work.events.record(SigningKeyRemoved(subject=None, kid=row.kid))

    async def allow_our_lifetime(self, kid: str) -> None:
        """Note that a key signs tokens that live as long as ours, unless it is known to sign such already."""
        seconds = self._token_seconds
        shorter = (SigningKey.kid == kid, SigningKey.is_current.is_(True), SigningKey.token_seconds < seconds)
        await self._work.execute(update(SigningKey).where(*shorter).values(token_seconds=seconds))

    @property
    def _token_seconds(self) -> int:
        return int(self._options.access_lifetime.total_seconds())

    def _end_of(self, row: Any) -> dict[str, Any]:
        known = row.token_seconds is not None
        lifetime = timedelta(seconds=row.token_seconds) if known else LONGEST_LIFETIME
        ends: datetime = self._work.now + lifetime + _CLOCK_ALLOWANCE
        # Nothing is signed with it any more, so nobody needs to be able to.
        return {"kept_until": ends, "private_sealed": _ERASED}

    def _activated(self, kid: str, replaces: str | None) -> None:
        self._work.events.record(SigningKeyActivated(subject=None, kid=kid, replaces=replaces))

    async def _add(self, pair: Pair, now: datetime, **fields: Any) -> None:
        statement = insert(SigningKey).values(
            kid=pair.kid,
            algorithm=pair.algorithm,
            public_jwk=pair.public,
            private_sealed=pair.sealed(self._ring),
            created_at=now,
            token_seconds=self._token_seconds,
            **fields,
        )
        try:
            await self._work.execute(statement)
        except IntegrityError as error:
            raise TransactionConflict("there is a key in that place by now") from error
        event = SigningKeyCreated(subject=None, kid=pair.kid, algorithm=pair.algorithm)
        self._work.events.record(event)

    async def _set(self, kid: str, still: ColumnElement[bool], **fields: Any) -> None:
        await self._one(update(SigningKey).where(SigningKey.kid == kid, still).values(**fields))

    async def _one(self, statement: Any) -> None:
        changed = await self._work.execute(statement.execution_options(synchronize_session=False))
        if changed.rowcount != 1:
            raise TransactionConflict("the key is not what it was")
