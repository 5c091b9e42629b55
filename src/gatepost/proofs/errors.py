"""What can go wrong with a proof."""

from gatepost.core.errors import Invalid

__all__ = ["MailProofInvalid"]


class MailProofInvalid(Invalid):
    """A link or a code that is unknown, used, expired, replaced, or for something else: one answer for all."""

    code = "mail-proof-invalid"
    sentence = "This link or code does not work any more. Ask for a new one."
    # A wrong code is one guess less, and that must stay.
    keep_changes = True
