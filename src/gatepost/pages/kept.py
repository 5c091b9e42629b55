"""What a page shows again until somebody is done with it, although it is secret: sealed, in a cookie of their browser.

So a form can be answered by a redirect, and a wrong code or another language at the foot of the page loses nothing.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gatepost.core.secrets import KeyRing, Unsealable

__all__ = ["Kept"]


class Kept:
    """Seals for one page and one person, until a moment."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def seal(self, told: Mapping[str, Any], page: str, whose: str, until: datetime) -> str:
        """Return it as the value of a cookie."""
        packed = json.dumps({**told, "until": until.timestamp()}, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._ring.seal(packed, _purpose(page, whose))).decode()

    def open(self, sealed: str | None, page: str, whose: str, now: datetime) -> dict[str, Any] | None:
        """Return what was kept for this page and person; None if nothing was, or its time is up."""
        try:
            opened = self._ring.open(urlsafe_b64decode(sealed or ""), _purpose(page, whose))
        except (ValueError, Unsealable):
            return None
        told: dict[str, Any] = json.loads(opened)
        return told if now.timestamp() < told.pop("until") else None


def _purpose(page: str, whose: str) -> str:
    return f"page {page} of {whose}"
