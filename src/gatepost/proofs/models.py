"""The table of links and codes that were sent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.models import Base, Canonical, Digest

__all__ = ["MailProof"]


class MailProof(Base):
    """One mail with a link and a code. `email` is where it went, and what it proves; `email_canonical` finds it.

    `link_digest` is of the link's token; `code_digest` is keyed, and of the code and this row. Without a `user_id`
    nobody got it: somebody asked with an address that no account has, and that shall make no difference.
    `binding_digest` is of a secret of the client that asked, where the code is for it alone.
    """

    __tablename__ = "mail_proofs"
    __table_args__ = (
        Index("ix_mail_proofs_purpose_email_canonical", "purpose", "email_canonical"),
        Index("ix_mail_proofs_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    email_canonical: Mapped[str] = mapped_column(Canonical(320))
    link_digest: Mapped[bytes] = mapped_column(Digest, unique=True)
    code_digest: Mapped[bytes] = mapped_column(Digest)
    binding_digest: Mapped[bytes | None] = mapped_column(Digest)
    attempts_left: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
