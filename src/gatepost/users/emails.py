"""E-mail addresses: what is accepted, and when two of them are the same mailbox."""

import re
import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["EmailAddress", "canonical_email", "check_email", "fold"]

LONGEST = 254
# Seen by nobody though their category is a mark, a letter or a symbol (Default_Ignorable_Code_Point, and U+2800).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# Characters that are not seen or that reorder what is seen: Unicode categories of controls, formats,
# surrogates, private use and unassigned.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def check_email(address: str) -> str:
    """Return the address as typed if mail can be sent to it. No network is asked."""
    try:
        canonical_email(address)
    except ValueError:
        raise PydanticCustomError("invalid_email", "This is not a valid e-mail address") from None
    return address


def canonical_email(address: str) -> str:
    """Return the form under which an address is unique.

    Case and compatibility variants are folded (NFKC and case folding, Unicode 3.13 D145) and the domain
    is in its ASCII form (IDNA), so `K` as the Kelvin sign, full-width letters and composed or decomposed
    accents all meet. What folding produces is validated again: a full-width `@` cannot smuggle in a
    second domain. Nothing of a provider's own habits (dots, plus signs) is assumed. Raises ValueError.
    """
    if _INVISIBLE.search(address) or any(unicodedata.category(char) in _UNSEEN for char in address):
        raise ValueError("unseen characters")
    typed = _validated(address)
    local, _, domain = typed.rpartition("@")
    folded = fold(local)
    if folded != local and _validated(f"{folded}@{domain}").rpartition("@")[0] != folded:
        raise ValueError("does not survive folding")
    return f"{folded}@{domain}"


def _validated(address: str) -> str:
    if len(address) > LONGEST:
        raise ValueError("too long")
    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("not an e-mail address") from error
    return f"{found.local_part}@{found.ascii_domain.casefold()}"


def fold(text: str) -> str:
    """Return the text with case and compatibility variants folded."""
    folded = text
    for _ in range(4):  # folding and normalising undo each other for a few characters; it settles in two
        again = unicodedata.normalize("NFKC", folded.casefold())
        if again == folded:
            break
        folded = again
    return folded


EmailAddress = Annotated[
    str,
    Field(max_length=LONGEST, json_schema_extra={"format": "email"}, examples=["ada@example.com"]),
    AfterValidator(check_email),
]
