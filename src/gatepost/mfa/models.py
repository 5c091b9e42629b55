"""The tables of second factors, and of what goes with them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Digest, SealedBytes
from gatepost.core.schemas import LONGEST_LABEL
from gatepost.core.sealed import SealedColumn

__all__ = [
    "SEALED",
    "FactorReset",
    "RecoveryCode",
    "RememberedDevice",
    "TotpFactor",
    "TotpGuesses",
    "sealed_for",
]

_IS_WAITING = text("expires_at IS NOT NULL")


class TotpFactor(Base):
    """An authenticator app. It counts once it is confirmed; until then it has an end, `expires_at`.

    `last_step` (RFC 6238, section 4.2) is the greatest whose code was used: only the code of a later one is taken.
    """

    __tablename__ = "totp_factors"
    __table_args__ = (
        Index(
            "ix_totp_factors_expires_at",
            "expires_at",
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(String(LONGEST_LABEL))
    secret: Mapped[bytes] = mapped_column(SealedBytes)
    last_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


def sealed_for(factor: UUID) -> str:
    """Return what the secret of an app is sealed for: its row and no other."""
    return f"totp_factors.secret:{factor}"


SEALED = SealedColumn(TotpFactor.secret, TotpFactor.id, sealed_for)


class TotpGuesses(Base):
    """How often a person's codes were guessed at in vain. It stays when apps come and go."""

    __tablename__ = "totp_guesses"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime]


class RecoveryCode(Base):
    """One of a person's recovery codes, of which we keep the digest alone: it has 120 random bits."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "digest"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(Digest)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RememberedDevice(Base):
    """A browser on which the person has shown a second factor, and is not asked for it again for a while."""

    __tablename__ = "remembered_devices"
    __table_args__ = (Index("ix_remembered_devices_expires_at", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(Digest, unique=True)
    user_agent: Mapped[str | None] = mapped_column(String(256))
    address: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class FactorReset(Base):
    """Somebody who knows the first factor has lost the second: all go at `due_at`, unless the person objects."""

    __tablename__ = "factor_resets"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(index=True)
