"""Cursor pages: opaque, authenticated, bound to the order and filter that made them."""

import base64
import hashlib
import hmac
import json
from typing import Any

from pydantic import Field

from gatepost.core.errors import Invalid
from gatepost.core.schemas import Output

__all__ = ["CursorInvalid", "Cursors", "Page"]

_TAG_BYTES = 16


class CursorInvalid(Invalid):
    """A cursor that we did not make, or not for this list."""

    code = "cursor-invalid"
    sentence = "The cursor is not one that this list gave out."

    def __init__(self) -> None:
        super().__init__(field="query.cursor")


class Page[T](Output):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(
        description="Pass it as `cursor` for the next page; null when this is the last, and only then."
    )


class Cursors:
    """Makes and reads cursors under a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, position: list[str], listing: dict[str, Any]) -> str:
        """Return a cursor to continue after `position` in the list that `listing` describes."""
        body = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._tag(body, listing) + body).decode().rstrip("=")

    def read(self, cursor: str, listing: dict[str, Any]) -> list[str]:
        """Return the position. Raises CursorInvalid when altered, or made for another list."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise CursorInvalid from None
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=") == cursor
        if not (canonical and hmac.compare_digest(tag, self._tag(body, listing))):
            raise CursorInvalid
        return json.loads(body)

    def _tag(self, body: bytes, listing: dict[str, Any]) -> bytes:
        context = json.dumps(listing, sort_keys=True, default=str).encode()
        parts = hashlib.sha256(context).digest() + body
        return hmac.new(self._key, parts, hashlib.sha256).digest()[:_TAG_BYTES]
