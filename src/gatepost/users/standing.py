"""What decides whether somebody may be let in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from gatepost.users.models import User

__all__ = ["STANDING", "Standing"]

STANDING = (User.id, User.version, User.is_active, User.locked_until, User.email_verified_at)
"""The columns, for queries of rooms that read them with something of their own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a person at one moment; `version` tells whether anything of it has changed since."""

    user_id: UUID
    version: int
    is_active: bool
    locked_until: datetime | None
    email_verified: bool

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the standing that a row with the columns `STANDING` shows."""
        return cls(row.id, row.version, row.is_active, row.locked_until, row.email_verified_at is not None)

    def is_locked(self, now: datetime) -> bool:
        """Tell whether nobody may sign in to the account now."""
        return self.locked_until is not None and self.locked_until > now
