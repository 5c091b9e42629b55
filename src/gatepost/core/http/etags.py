"""Entity tags (RFC 9110, section 8.8.3): the version of a record, quoted."""

import re

__all__ = ["etag", "matches", "version_of"]

_TAG = re.compile(r'"(\d{1,18})"')


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def version_of(tag: str) -> int | None:
    """Return the version that a tag names; None if it is not a tag that we gave out."""
    found = _TAG.fullmatch(tag.strip())
    return int(found[1]) if found else None


def matches(if_none_match: str, tag: str) -> bool:
    """Tell whether an If-None-Match header names the tag (RFC 9110, section 13.1.2)."""
    named = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag in named or "*" in named
