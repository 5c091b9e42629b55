"""The tables of the moved clock and of the mail. Both stay empty where tests have no business."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Canonical

__all__ = ["ClockRow", "MailRow"]


class ClockRow(Base):
    """By how much the clock is moved: one row, or none before the first move. `moves` tells old from new."""

    __tablename__ = "test_clock"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    moves: Mapped[int]
    ahead_microseconds: Mapped[int] = mapped_column(BigInteger)
    skipped_microseconds: Mapped[int] = mapped_column(BigInteger)


class MailRow(Base):
    """One message that was not sent to anybody; ids are in the order of sending."""

    __tablename__ = "test_mail"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(320))
    recipient_canonical: Mapped[str] = mapped_column(Canonical(320), index=True)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime]
