"""The table of sign-ins that take several steps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Digest

__all__ = ["LoginFlow"]


class LoginFlow(Base):
    """One sign-in under way. `binding_digest` is of a secret that only the client that began it has.

    `proofs` are those given so far, as `{method, user_id, at, version}`, and `steps` is their number. `finished_at` is
    set once: by the step that let somebody in, or by one wrong proof too many.
    """

    __tablename__ = "login_flows"
    __table_args__ = (
        Index("ix_login_flows_expires_at", "expires_at"),
        Index("ix_login_flows_binding_digest", "binding_digest"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    binding_digest: Mapped[bytes] = mapped_column(Digest)
    carrier: Mapped[str] = mapped_column(String(10))
    scope: Mapped[str] = mapped_column(String(1000))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    proofs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    steps: Mapped[int]
    failures: Mapped[int]
    remember: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
