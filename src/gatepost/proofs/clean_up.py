"""Deleting what nobody can use any more."""

from gatepost.core.schedule import Job, delete_past
from gatepost.proofs.models import MailProof

__all__ = ["past_mail_proofs"]


def past_mail_proofs() -> Job:
    """Return the job that deletes proofs whose time is up."""
    return delete_past("mail-proofs.expired", MailProof.id, MailProof.expires_at)
