"""Recovery codes: ten on paper for whoever has lost their second factor, each good for one sign-in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, update

from gatepost.core.ids import new_id
from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.codes import code_digest, new_codes
from gatepost.mfa.errors import CodeWrong
from gatepost.mfa.events import RecoveryCodeRefused, RecoveryCodesMade, RecoveryCodeUsed
from gatepost.mfa.models import RecoveryCode

__all__ = ["RecoveryCodes"]


class RecoveryCodes:
    """A person's recovery codes. Whoever calls has locked the person's row."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def make(self, user_id: UUID, *, with_factor: bool) -> list[str]:
        """Return a new set, which is never shown again; that of before is dead."""
        await self.drop(user_id)
        codes = new_codes()
        rows = [
            {
                "id": new_id(),
                "user_id": user_id,
                "digest": code_digest(user_id, code),
                "created_at": self._work.now,
                "used_at": None,
            }
            for code in codes
        ]
        await self._work.execute(insert(RecoveryCode), rows)
        self._work.events.record(RecoveryCodesMade(subject=user_id, with_factor=with_factor))
        return codes

    async def use(self, user_id: UUID, code: str) -> int:
        """Use a code up: of all who show it at once, one gets past this; return how many are left. Raises CodeWrong."""
        digest = code_digest(user_id, code)
        statement = (
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user_id,
                RecoveryCode.digest == digest,
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=self._work.now)
            .returning(RecoveryCode.id)
            .execution_options(synchronize_session=False)
        )
        if digest is None or (await self._work.execute(statement)).first() is None:
            self._work.events.record(RecoveryCodeRefused(subject=user_id))
            raise CodeWrong
        left: int = (await self._work.execute(queries.ENROLLED, {"user_id": user_id})).one().codes
        self._work.events.record(RecoveryCodeUsed(subject=user_id, left=left))
        return left

    async def drop(self, user_id: UUID, since: datetime | None = None) -> None:
        """Make all codes of a person dead, or those that were made then or later."""
        statement = delete(RecoveryCode).where(RecoveryCode.user_id == user_id)
        if since is not None:
            statement = statement.where(RecoveryCode.created_at >= since)
        await self._work.execute(statement)
