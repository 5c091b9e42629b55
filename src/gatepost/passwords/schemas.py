"""Passwords as they come in."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["LONGEST_BYTES", "GivenPassword", "NewPassword"]

LONGEST_BYTES = 1024


def _short_enough(password: str) -> str:
    if len(password.encode()) > LONGEST_BYTES:
        raise PydanticCustomError("password_too_long", "A password may have at most 1024 bytes")
    return password


GivenPassword = Annotated[
    str, Field(min_length=1, json_schema_extra={"format": "password"}), AfterValidator(_short_enough)
]
"""A password that somebody claims to be theirs: only its size is checked."""

NewPassword = Annotated[
    str,
    Field(
        min_length=8,
        json_schema_extra={"format": "password"},
        examples=["tangerine-lighthouse-42"],
        description="At least 8 characters, at most 1,024 bytes; not common, not breached, not built from the address.",
    ),
    AfterValidator(_short_enough),
]
"""A password to be set; the whole policy is `PasswordPolicy`."""
