"""The methods by which people show who they are, and what each is worth."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["METHODS", "PASSWORD", "Factor", "Method"]


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

METHODS = {method.name: method for method in (PASSWORD,)}
