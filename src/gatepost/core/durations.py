"""Durations as people write them."""

import re
from datetime import timedelta

__all__ = ["duration", "in_words"]

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


_SIZES = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def in_words(value: timedelta) -> str:
    """Return a duration in the largest unit that needs no fraction: `30 days`, `90 minutes`, `0 seconds`."""
    seconds = value.total_seconds()
    unit, size = next((each for each in _SIZES if seconds and seconds % each[1] == 0), _SIZES[-1])
    count = seconds / size
    return f"{count:,g} {unit}{'' if count == 1 else 's'}"
