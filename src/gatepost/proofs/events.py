"""What happens to proofs."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["MailProofRefused"]


@dataclass(frozen=True, kw_only=True)
class MailProofRefused(Event):
    """Somebody entered a wrong code from a mail; no `subject` where none was sent to that address."""

    type: ClassVar[str] = "mail_proof.refused"
    purpose: str
