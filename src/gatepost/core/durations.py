"""Durations as people write them."""

import re
from datetime import timedelta

__all__ = ["duration"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TEXT = re.compile(r"([1-9][0-9]{0,8})([smhd])")


def duration(text: str | timedelta) -> timedelta:
    """Return `"30s"`, `"10m"`, `"12h"` or `"7d"` as a duration. Raises ValueError for anything else."""
    if isinstance(text, timedelta):
        return text
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"no duration: {text!r}; write 30s, 10m, 12h or 7d")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})
