"""What happens to tokens and keys."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from gatepost.core.events import Event

__all__ = [
    "SIGNING_KEYS",
    "RefreshTokenReused",
    "SigningKeyActivated",
    "SigningKeyCreated",
    "SigningKeyRemoved",
    "SigningKeyRevoked",
]

SIGNING_KEYS = "signing-keys"


@dataclass(frozen=True, kw_only=True)
class RefreshTokenReused(Event):
    """A refresh token was shown a second time: one of its two holders is not the person."""

    type: ClassVar[str] = "refresh_token.reused"
    session_id: UUID


class _OutdatesKeys:
    """Has every process read the keys again."""

    def outdates(self) -> str:
        return SIGNING_KEYS


@dataclass(frozen=True, kw_only=True)
class SigningKeyCreated(_OutdatesKeys, Event):
    """A key was made; it is published, and signs once it is activated."""

    type: ClassVar[str] = "signing_key.created"
    kid: str
    algorithm: str


@dataclass(frozen=True, kw_only=True)
class SigningKeyActivated(_OutdatesKeys, Event):
    """A key signs from now on. `replaces` is the one that signed before; it still verifies, unless it is revoked."""

    type: ClassVar[str] = "signing_key.activated"
    kid: str
    replaces: str | None


@dataclass(frozen=True, kw_only=True)
class SigningKeyRevoked(_OutdatesKeys, Event):
    """All that a key has signed is refused; `state` is what the key was until then: next, signing or retired."""

    type: ClassVar[str] = "signing_key.revoked"
    kid: str
    state: str


@dataclass(frozen=True, kw_only=True)
class SigningKeyRemoved(_OutdatesKeys, Event):
    """A key is gone: what it signed has expired, or it never signed."""

    type: ClassVar[str] = "signing_key.removed"
    kid: str
