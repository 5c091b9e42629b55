"""Tags of languages, and which ones a browser asks for."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["LanguageTag", "canonical_tag", "preferred"]

LONGEST = 35
"""RFC 5646, section 4.4.1: no tag that is in use is longer."""

# RFC 5646, section 2.1, without the grandfathered tags and those for private use alone.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3}(?:-[a-z]{3}){0,3})"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?)",
    re.IGNORECASE | re.ASCII,
)
_RANGE = re.compile(r"\s*([A-Za-z0-9-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.ASCII)
_MOST_RANGES = 20


def canonical_tag(tag: str) -> str:
    """Return a BCP 47 tag in its usual case (RFC 5646, section 2.1.1): `de-AT`, `zh-Hant-TW`. Raises ValueError."""
    found = _TAG.fullmatch(tag) if len(tag) <= LONGEST else None
    if found is None:
        raise ValueError("not a language tag")
    parts = [found["language"].lower()]
    if found["script"]:
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    return "-".join(parts) + found["rest"].lower()


def preferred(accept_language: str | None) -> list[str]:
    """Return the languages that a header asks for, the most wanted first (RFC 9110, section 12.5.4).

    What is not wanted (`q=0`), a wildcard and what is malformed are left out.
    """
    wanted: list[tuple[float, str]] = []
    for item in (accept_language or "").split(",")[:_MOST_RANGES]:
        found = _RANGE.fullmatch(item)
        weight = float(found[2] or 1) if found else 0.0
        if found is None or not 0 < weight <= 1:
            continue
        try:
            wanted.append((weight, canonical_tag(found[1])))
        except ValueError:
            continue
    return [tag for _, tag in sorted(wanted, key=lambda each: -each[0])]


def _checked(tag: str) -> str:
    try:
        return canonical_tag(tag)
    except ValueError:
        raise PydanticCustomError(
            "invalid_language", "This is not a language tag such as de or pt-BR"
        ) from None


LanguageTag = Annotated[
    str, Field(min_length=2, max_length=LONGEST, examples=["de-AT"]), AfterValidator(_checked)
]
