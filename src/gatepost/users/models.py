"""The table of people."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Canonical

__all__ = ["User"]


_IS_CLOSED = text("delete_after IS NOT NULL")


class User(Base):
    """A person. `version` counts changes: it is the ETag, and guards against lost updates.

    `delete_after` is set while an account is closed that is going to be erased then.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("ix_users_created_at_id", "created_at", "id"),
        Index("ix_users_is_active_created_at_id", "is_active", "created_at", "id"),
        Index("ix_users_is_active_email_canonical", "is_active", "email_canonical"),
        Index("ix_users_delete_after", "delete_after", sqlite_where=_IS_CLOSED, postgresql_where=_IS_CLOSED),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    email_canonical: Mapped[str] = mapped_column(Canonical(320), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    locale: Mapped[str | None] = mapped_column(String(35))
    is_active: Mapped[bool]
    email_verified_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    delete_after: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column()

    @property
    def email_verified(self) -> bool:
        """Whether the person has shown that the address is theirs."""
        return self.email_verified_at is not None

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  the mapper reads a plain dict
