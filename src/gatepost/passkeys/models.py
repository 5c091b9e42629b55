"""The tables of passkeys, of what stands for their owners, and of what they are asked to sign."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Canonical, Digest
from gatepost.core.schemas import LONGEST_LABEL

__all__ = ["LONGEST_CREDENTIAL_ID", "LONGEST_KEY", "Passkey", "PasskeyChallenge", "PasskeyHandle"]

LONGEST_CREDENTIAL_ID = 1023
"""In bytes (WebAuthn Level 3, section 4, credential id)."""
LONGEST_KEY = 1024


def _in_base64(size: int) -> int:
    return -(-size * 4 // 3)


class Passkey(Base):
    """A credential of WebAuthn. `credential_id` and `public_key` (COSE) are in base64url: neither is a secret.

    `sign_count` is the greatest that was seen; many authenticators do not count and say 0. `backup_eligible` never
    changes, `backed_up` may. `user_verified`: whether the person was verified when it was made; what says so later
    counts only then. `discoverable`: whether it is found without a name, as the browser said; None if it did not.
    """

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(LONGEST_LABEL))
    credential_id: Mapped[str] = mapped_column(Canonical(_in_base64(LONGEST_CREDENTIAL_ID)), unique=True)
    public_key: Mapped[str] = mapped_column(String(_in_base64(LONGEST_KEY)))
    sign_count: Mapped[int] = mapped_column(BigInteger)
    aaguid: Mapped[UUID]
    transports: Mapped[list[str]]
    user_verified: Mapped[bool]
    discoverable: Mapped[bool | None]
    backup_eligible: Mapped[bool]
    backed_up: Mapped[bool]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class PasskeyHandle(Base):
    """What stands for a person on their authenticators: random, in base64url. It is shown to whoever holds one."""

    __tablename__ = "passkey_handles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    handle: Mapped[str] = mapped_column(Canonical(86), unique=True)


class PasskeyChallenge(Base):
    """Something random to be signed. `binding` is a digest of the session or the sign-in that it was made for.

    `user_id` is whose passkey is asked for, None if anybody's will do; `user_verification`: whether the authenticator
    must have verified the person. `used_at` is set once, by whatever answers it.
    """

    __tablename__ = "passkey_challenges"
    __table_args__ = (Index("ix_passkey_challenges_expires_at", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(Digest, unique=True)
    ceremony: Mapped[str] = mapped_column(String(10))
    binding: Mapped[bytes] = mapped_column(Digest, index=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_verification: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
