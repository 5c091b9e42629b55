"""What authenticators are asked to sign: random, for one ceremony, for who began it, for a while, and once."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update

from gatepost.core.ids import new_id
from gatepost.core.work import Work
from gatepost.passkeys import queries
from gatepost.passkeys.ceremonies import Refusal
from gatepost.passkeys.errors import PasskeyInvalid
from gatepost.passkeys.events import Ceremony, PasskeyRefused, RefusalReason
from gatepost.passkeys.models import PasskeyChallenge

__all__ = ["Challenges", "session_binding"]

_BYTES = 32


def session_binding(session_id: UUID) -> bytes:
    """Return what binds a challenge to a session."""
    return hashlib.sha256(b"session" + session_id.bytes).digest()


class Challenges:
    """Keeps challenges in the database, so that another process may take the answer."""

    def __init__(self, work: Work, lifetime: timedelta) -> None:
        self._work = work
        self._lifetime = lifetime

    @property
    def timeout(self) -> int:
        """How long the browser may wait, in milliseconds."""
        return int(self._lifetime.total_seconds() * 1000)

    async def begin(
        self, ceremony: Ceremony, binding: bytes, user_id: UUID | None, *, user_verification: bool
    ) -> bytes:
        """Return a new challenge. One that was made before for the same binding, and not answered, is dead."""
        table, challenge, now = PasskeyChallenge, secrets.token_bytes(_BYTES), self._work.now
        await self._work.execute(
            delete(table).where(table.binding == binding, table.ceremony == ceremony, table.used_at.is_(None))
        )
        row = {
            "id": new_id(),
            "digest": hashlib.sha256(challenge).digest(),
            "ceremony": ceremony,
            "binding": binding,
            "user_id": user_id,
            "user_verification": user_verification,
            "created_at": now,
            "expires_at": now + self._lifetime,
            "used_at": None,
        }
        await self._work.execute(insert(table).values(**row))
        return challenge

    async def find(self, challenge: bytes) -> Any:
        """Return the row of a challenge, whatever has become of it. Raises Refusal."""
        asked = {"digest": hashlib.sha256(challenge).digest()}
        row = await self._work.read.first(queries.CHALLENGE, asked)
        if row is None:
            raise Refusal("challenge_unknown")
        return row

    def need_open(self, row: Any, ceremony: Ceremony, binding: bytes) -> None:
        """Raise Refusal unless the challenge was made for this, and waits for its answer still."""
        if row.ceremony != ceremony:
            raise Refusal("challenge_of_another_ceremony")
        if row.binding != binding:
            raise Refusal("challenge_of_another")
        if row.used_at is not None:
            raise Refusal("challenge_used")
        if row.expires_at <= self._work.now:
            raise Refusal("challenge_expired")

    async def spend(self, challenge_id: UUID) -> bool:
        """Use a challenge up; of all who answer it at once, one is told True."""
        statement = (
            update(PasskeyChallenge)
            .where(
                PasskeyChallenge.id == challenge_id,
                PasskeyChallenge.used_at.is_(None),
                PasskeyChallenge.expires_at > self._work.now,
            )
            .values(used_at=self._work.now)
            .returning(PasskeyChallenge.id)
            .execution_options(synchronize_session=False)
        )
        return (await self._work.execute(statement)).first() is not None

    def refuse(
        self,
        ceremony: Ceremony,
        reason: RefusalReason,
        subject: UUID | None,
        passkey_id: UUID | None = None,
    ) -> PasskeyInvalid:
        """Record why an answer is not accepted; return the refusal."""
        event = PasskeyRefused(subject=subject, ceremony=ceremony, reason=reason, passkey_id=passkey_id)
        self._work.events.record(event)
        return PasskeyInvalid(told=reason if ceremony == "register" else None, user_id=subject)
