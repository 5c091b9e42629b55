"""A link and a code in a mail, by which somebody shows that they read an address.

Owns the table `mail_proofs`. Promises that each works once, for its purpose and for a while, that the newest alone
does, that only digests of them are kept, and that a code bears few guesses, however many come at once. Knows no
journey: what a proof is good for is for the rooms above to say.
"""

from gatepost.proofs.clean_up import past_mail_proofs
from gatepost.proofs.errors import MailProofInvalid
from gatepost.proofs.events import MailProofRefused
from gatepost.proofs.models import MailProof
from gatepost.proofs.purposes import Purpose
from gatepost.proofs.schemas import ShownProof
from gatepost.proofs.service import Asked, Claim, MailProofs

__all__ = [
    "Asked",
    "Claim",
    "MailProof",
    "MailProofInvalid",
    "MailProofRefused",
    "MailProofs",
    "Purpose",
    "ShownProof",
    "past_mail_proofs",
]
