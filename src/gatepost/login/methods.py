"""The methods by which people show who they are, and what each is worth."""

from dataclasses import dataclass
from enum import StrEnum

from gatepost import mfa

__all__ = [
    "MAIL",
    "METHODS",
    "PASSKEY",
    "PASSWORD",
    "RECOVERY_CODE",
    "TOTP",
    "VERIFIED_PASSKEY",
    "Factor",
    "Method",
]


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
    asked_as: str = ""
    """The name by which a step asks for it, where that is another: what it was worth is known afterwards."""
    comes_first: bool = True
    """Whether it says who somebody is. What does not is taken after what does."""

    @property
    def step(self) -> str:
        """The name of the step that shows it."""
        return self.asked_as or self.name


PASSWORD = Method("password", ("pwd",), frozenset({Factor.KNOWLEDGE}))

# A link or a code in a mail. Whoever reads the mailbox can set the password anew, so that the two together are one
# factor: this one is counted as that kind. `otp` is what RFC 8176 has for a password that works once.
MAIL = Method("mail", ("otp",), frozenset({Factor.KNOWLEDGE}), proves_email=True)

# Nobody knows what holds the key, or whether it was a PIN or a finger (decision 0024). Two factors are two in any case.
PASSKEY = Method(mfa.PASSKEY, ("pop", "user"), frozenset({Factor.POSSESSION}), phishing_resistant=True)
VERIFIED_PASSKEY = Method(
    "verified_passkey",
    ("pop", "user"),
    frozenset({Factor.POSSESSION, Factor.INHERENCE}),
    phishing_resistant=True,
    asked_as=mfa.PASSKEY,
)

TOTP = Method(mfa.TOTP, ("otp",), frozenset({Factor.POSSESSION}), comes_first=False)
# A list on paper is something that one has (NIST SP 800-63B, section 3.1.2).
RECOVERY_CODE = Method(mfa.RECOVERY_CODE, ("otp",), frozenset({Factor.POSSESSION}), comes_first=False)

METHODS = {method.name: method for method in (PASSWORD, MAIL, PASSKEY, VERIFIED_PASSKEY, TOTP, RECOVERY_CODE)}
