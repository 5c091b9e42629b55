"""The keys as the database has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatepost.core.secrets import KeyRing
from gatepost.tokens.keys.pairs import can_open
from gatepost.tokens.models import KeyState

__all__ = ["KeyInfo", "StoredKeys", "state_of"]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as an operator sees it. `opens`: whether its private half can be opened; None: that is erased."""

    kid: str
    algorithm: str
    state: KeyState
    created_at: datetime
    activates_at: datetime | None
    activated_at: datetime | None
    kept_until: datetime | None
    revoked_at: datetime | None
    opens: bool | None

    @staticmethod
    def of(row: Any, ring: KeyRing) -> "KeyInfo":
        """Return what a row says."""
        return KeyInfo(
            kid=row.kid,
            algorithm=row.algorithm,
            state=state_of(row),
            created_at=row.created_at,
            activates_at=row.activates_at,
            activated_at=row.activated_at,
            kept_until=row.kept_until,
            revoked_at=row.revoked_at,
            opens=can_open(row, ring) if row.private_sealed else None,
        )


def state_of(row: Any) -> KeyState:
    """Return where a stored key is in its life."""
    if row.revoked_at is not None:
        return KeyState.REVOKED
    if row.is_current:
        return KeyState.SIGNING
    return KeyState.NEXT if row.is_next else KeyState.RETIRED


class StoredKeys:
    """All keys, as one statement read them."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.all = rows
        self.by_kid = {row.kid: row for row in rows}
        self.current: Any = next((row for row in rows if row.is_current), None)
        self.next: Any = next((row for row in rows if row.is_next), None)
        self.retired = [row for row in rows if state_of(row) is KeyState.RETIRED]

    def over(self, now: datetime) -> list[Any]:
        """Return the keys that need not be kept any longer."""
        return [row for row in self.all if row.kept_until is not None and row.kept_until <= now]
