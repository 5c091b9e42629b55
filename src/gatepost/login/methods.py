"""The methods by which people show who they are, and what each is worth."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MAIL", "METHODS", "PASSWORD", "Factor", "Method"]


class Factor(StrEnum):
    """Kinds of authentication factors (NIST SP 800-63B, section 2)."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to prove who one is: its stable name, its values of `amr` (RFC 8176), and the factors in it."""

    name: str
    amr: tuple[str, ...]
    factors: frozenset[Factor]
    phishing_resistant: bool = False
    proves_email: bool = False
    """Whether it shows that the person reads their address."""


PASSWORD = Method("password", ("pwd",), frozenset({Factor.KNOWLEDGE}))

# A link or a code in a mail. Whoever reads the mailbox can set the password anew, so that the two together are one
# factor: this one is counted as that kind. `otp` is what RFC 8176 has for a password that works once.
MAIL = Method("mail", ("otp",), frozenset({Factor.KNOWLEDGE}), proves_email=True)

METHODS = {method.name: method for method in (PASSWORD, MAIL)}
