"""The one row about this installation."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Digest

__all__ = ["Installation"]


class Installation(Base):
    """Whether the first administrator was created; the row stands there from the first migration on."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    setup_digest: Mapped[bytes | None] = mapped_column(Digest)
    setup_expires_at: Mapped[datetime | None]
    setup_done_at: Mapped[datetime | None]
