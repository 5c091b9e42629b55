"""Recovery codes: how they are made and read."""

import hashlib
import secrets
from uuid import UUID

__all__ = ["HOW_MANY", "code_digest", "new_codes"]

HOW_MANY = 10
# Crockford's: no letter that looks like a digit, and no U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")
# 120 bits: a plain digest is enough then, while one of less than 112 had to be slow (ASVS 6.5.2).
_CHARACTERS = 24
_GROUP = 4


def new_codes() -> list[str]:
    """Return a new set of codes, in groups of four as they are shown."""
    return [_new_code() for _ in range(HOW_MANY)]


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
    return "-".join(letters[at : at + _GROUP] for at in range(0, _CHARACTERS, _GROUP))


def code_digest(user_id: UUID, code: str) -> bytes | None:
    """Return what is stored of a person's code, however it was typed; None for what can be none."""
    plain = "".join(code.split()).replace("-", "").upper().translate(_LOOKALIKES)
    if len(plain) != _CHARACTERS or not set(plain) <= set(_ALPHABET):
        return None
    return hashlib.sha256(user_id.bytes + plain.encode()).digest()
