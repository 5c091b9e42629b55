"""The table of what people do not want to be told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base

__all__ = ["NoticePreference"]


class NoticePreference(Base):
    """One kind of notice that a person has turned off."""

    __tablename__ = "notice_preferences"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50), primary_key=True)
    muted_at: Mapped[datetime]
