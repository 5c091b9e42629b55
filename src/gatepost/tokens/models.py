"""The tables of refresh tokens and signing keys."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Digest, SealedBytes

__all__ = ["KeyState", "RefreshFamily", "SigningKey"]


class RefreshFamily(Base):
    """The refresh tokens of one session, of which one is live; only its digest is kept.

    The row is found by its session, and no other column is indexed: replacing the token then costs PostgreSQL no
    index entry. `user_id` to `key_thumbprint` are copies of what never changes in a session.
    `successor_sealed` is the live token, for whoever shows the one before it.
    """

    __tablename__ = "refresh_families"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID]
    client_id: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(1000))
    expires_at: Mapped[datetime]
    key_thumbprint: Mapped[str | None] = mapped_column(String(43))
    digest: Mapped[bytes] = mapped_column(Digest)
    generation: Mapped[int]
    rotated_at: Mapped[datetime]
    rotated_before_at: Mapped[datetime | None]
    successor_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    SIGNING = "signing"
    RETIRED = "retired"
    REVOKED = "revoked"


class SigningKey(Base):
    """A key pair. At most one is current (true) and signs, at most one is next (true); the others are null in both.

    `activates_at`: not to sign before. `kept_until`: a key that signs no more verifies till then, one that is revoked
    is only kept till then. `token_seconds`: the longest life of a token that it signs, null if that is not known.
    The private half is empty once the key signs no more.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        CheckConstraint(
            "(is_current IS NULL OR is_next IS NULL) AND (revoked_at IS NULL OR COALESCE(is_current, is_next) IS NULL)",
            name="one_state",
        ),
    )

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    algorithm: Mapped[str] = mapped_column(String(20))
    public_jwk: Mapped[dict[str, Any]]
    private_sealed: Mapped[bytes] = mapped_column(SealedBytes)
    created_at: Mapped[datetime]
    is_current: Mapped[bool | None] = mapped_column(unique=True)
    is_next: Mapped[bool | None] = mapped_column(unique=True)
    activates_at: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    kept_until: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    token_seconds: Mapped[int | None]
