"""The host's own tables. They point at Gatepost's people by id, and go with them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Column, DateTime, ForeignKey, String, Table, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of the host's tables: metadata of its own, apart from Gatepost's."""


# Of Gatepost's table only what a foreign key must know. Gatepost makes and migrates it; a host whose own
# data lies in another database leaves this out and keeps the bare id.
Table("users", Base.metadata, Column("id", Uuid, primary_key=True))


class Profile(Base):
    """What this application knows of a person beyond the account."""

    __tablename__ = "notes_profiles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    nickname: Mapped[str] = mapped_column(String(40), unique=True)


class Note(Base):
    """Something a person wrote down."""

    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(String(1000))
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
