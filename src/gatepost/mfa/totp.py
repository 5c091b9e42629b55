"""Codes that change with the time (RFC 6238), as authenticator apps make them: SHA-1, six digits, thirty seconds."""

import base64
import hmac
import secrets
import struct
from datetime import datetime
from urllib.parse import quote, urlencode

__all__ = ["PERIOD", "code_at", "matching_step", "new_secret", "otpauth_uri", "step_at", "written"]

PERIOD = 30
DIGITS = 6
# RFC 4226, section 4, R6: as long as the hash.
_SECRET_BYTES = 20
# Steps that an app's clock may be off, to either side (RFC 6238, section 5.2 and 6).
_DRIFT = 1


def new_secret() -> bytes:
    """Return 160 random bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def written(secret: bytes) -> str:
    """Return a secret as people type it into an app: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def step_at(moment: datetime) -> int:
    """Return the number of the step that a moment lies in."""
    return int(moment.timestamp()) // PERIOD


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    number: int = struct.unpack_from(">I", mac, offset)[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, code: str, now: datetime, after: int) -> int | None:
    """Return the step near `now`, and later than `after`, whose code this is; None if there is none.

    Spaces, as apps show them, do not count. Digits of other scripts are none.
    """
    given = "".join(code.split()).encode(errors="surrogatepass")
    present = step_at(now)
    found = None
    for step in range(max(present - _DRIFT, 0), present + _DRIFT + 1):
        # Each is compared, whichever it is: the time shall not tell.
        if hmac.compare_digest(code_at(secret, step).encode(), given) and step > after and found is None:
            found = step
    return found


def otpauth_uri(secret: bytes, issuer: str, account: str) -> str:
    """Return the address that the QR code holds, in the form that apps agree on."""
    # A colon ends the name in the label, and both names must be the same.
    named = issuer.replace(":", "")
    label = f"{quote(named, safe='')}:{quote(account, safe='')}"
    told = {
        "secret": written(secret),
        "issuer": named,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": PERIOD,
    }
    # Some apps show a plus sign where a space was meant.
    return f"otpauth://totp/{label}?{urlencode(told, quote_via=quote)}"
