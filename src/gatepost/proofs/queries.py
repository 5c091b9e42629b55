"""Reading proofs that still may be used."""

from sqlalchemy import bindparam, select

from gatepost.proofs.models import MailProof

__all__ = ["BY_LINK", "COLUMNS", "PENDING"]

COLUMNS = (
    MailProof.id,
    MailProof.purpose,
    MailProof.user_id,
    MailProof.email,
    MailProof.email_canonical,
    MailProof.code_digest,
    MailProof.binding_digest,
    MailProof.expires_at,
)

_OPEN = select(*COLUMNS).where(
    MailProof.purpose.in_([bindparam("purpose"), bindparam("or_purpose")]),
    MailProof.used_at.is_(None),
    MailProof.expires_at > bindparam("now"),
)

BY_LINK = _OPEN.where(MailProof.link_digest == bindparam("digest"), MailProof.user_id.is_not(None))
PENDING = _OPEN.where(MailProof.user_id == bindparam("user_id")).order_by(MailProof.id.desc()).limit(1)
