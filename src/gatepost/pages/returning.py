"""Where people may be led once they have signed in: what they bring along is a stranger's word."""

import re
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

__all__ = ["safe_return"]

_LONGEST = 2_000
# Printable ASCII but backslash, quotes and angle brackets: what browsers strip, fold or read as a slash is not in it.
_PLAIN = re.compile(r"[!#-&(-;=?-\[\]^_a-z{|}~]+")
_DECODED_TWICE = 2


def safe_return(wanted: str | None, origins: Collection[str]) -> str | None:
    """Return where to go: a path of this host, or a place under one of the origins. None for anything else."""
    if not wanted or len(wanted) > _LONGEST or not _PLAIN.fullmatch(wanted):
        return None
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return None
    if wanted.startswith("/"):
        return wanted if _is_plain_path(re.split("[?#]", wanted)[0]) else None
    # Compared as a whole: a user before the host, or another port, is another place.
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if origin not in origins or not wanted.lower().startswith(origin):
        return None
    return wanted if _is_plain_path(parts.path or "/") else None


def _is_plain_path(path: str) -> bool:
    """Tell whether a path is one under every reading: proxies and applications may decode it once more."""
    for _ in range(_DECODED_TWICE + 1):
        if not path.startswith("/") or "//" in path or "\\" in path or not path.isprintable():
            return False
        path = unquote(path)
    return True
