"""Reading proofs that still may be used."""

from sqlalchemy import bindparam, select

from gatepost.proofs.models import MailProof

__all__ = ["BY_EMAIL", "BY_LINK", "PENDING"]

_OPEN = select(
    MailProof.id,
    MailProof.purpose,
    MailProof.user_id,
    MailProof.email,
    MailProof.email_canonical,
    MailProof.code_digest,
    MailProof.expires_at,
).where(
    MailProof.purpose.in_([bindparam("purpose"), bindparam("or_purpose")]),
    MailProof.used_at.is_(None),
    MailProof.expires_at > bindparam("now"),
)

BY_LINK = _OPEN.where(MailProof.link_digest == bindparam("digest"), MailProof.user_id.is_not(None))
BY_EMAIL = _OPEN.where(MailProof.email_canonical == bindparam("email_canonical"), MailProof.attempts_left > 0)
PENDING = _OPEN.where(MailProof.user_id == bindparam("user_id")).order_by(MailProof.id.desc()).limit(1)
