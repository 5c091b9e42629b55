"""Base64url without padding, as WebAuthn's JSON has it; in one spelling only."""

import base64
import binascii

__all__ = ["from_base64url", "to_base64url"]


def to_base64url(value: bytes) -> str:
    """Return the text for these bytes."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes of a text. Raises ValueError for what is none, or another spelling of it."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("is not base64url") from None
    if to_base64url(value) != text:
        raise ValueError("is not base64url in its one spelling")
    return value
