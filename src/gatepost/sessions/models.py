"""The table of sign-ins."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Digest

__all__ = ["EndReason", "Session"]


class EndReason(StrEnum):
    """Why a session ended; stable, and told to whoever still shows its tokens."""

    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    """By the person, from another session."""
    REVOKED_BY_ADMIN = "revoked_by_admin"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a reason, not a password
    EMAIL_RESTORED = "email_restored"
    """Somebody undid a change of address from the old one."""
    ADDRESS_PROVEN = "address_proven"
    """Whoever reads the address has shown so, and this session was there before."""
    DISABLED = "disabled"
    REUSE_DETECTED = "reuse_detected"
    RENEWED = "renewed"
    """The person signed in again in its place."""
    TOO_MANY = "too_many_sessions"
    EXPIRED = "expired"
    EXPIRED_IDLE = "expired_idle"
    DELETED = "deleted"


# Those that are not have no place in the index: starting a session shall not pay for it.
_ENDED = text("ended_at IS NOT NULL")


class Session(Base):
    """One sign-in. `amr` and `acr` say how sure we were of the person (RFC 8176, RFC 9470).

    `cookie_digest` belongs to those that a browser keeps in a cookie (`remember`: also when it is closed),
    `key_thumbprint` (RFC 7638) to those whose tokens work only with a key of the client's (RFC 9449). `end_event` is
    the event that says how it ended.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id_ended_at", "user_id", "ended_at"),
        Index("ix_sessions_expires_at", "expires_at"),
        Index("ix_sessions_ended_at", "ended_at", sqlite_where=_ENDED, postgresql_where=_ENDED),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(String(100))
    auth_time: Mapped[datetime]
    amr: Mapped[list[str]]
    acr: Mapped[str] = mapped_column(String(100))
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    cookie_digest: Mapped[bytes | None] = mapped_column(Digest)
    key_thumbprint: Mapped[str | None] = mapped_column(String(43))
    remember: Mapped[bool]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(30))
    end_event: Mapped[UUID | None]
