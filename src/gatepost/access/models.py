"""The table of who has which role."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base

__all__ = ["RoleAssignment"]


class RoleAssignment(Base):
    """A role that a person has."""

    __tablename__ = "role_assignments"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(50), primary_key=True)
    granted_at: Mapped[datetime]
