"""Random secrets, the digests we keep of them, and sealing of what we must be able to read again."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import zlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = [
    "KEY_ID_BYTES",
    "MINIMUM_KEY_BYTES",
    "BoundTokens",
    "KeyRing",
    "Unsealable",
    "digest",
    "new_code",
    "new_secret_key",
    "new_token",
    "opened_with",
    "sealed_for",
    "weakness",
    "well_formed",
]

MINIMUM_KEY_BYTES = 32
KEY_ID_BYTES = 4
"""How many bytes at the beginning of a sealed value name the key that it is sealed under."""

_TOKEN_BYTES = 32
_CHECK_BYTES = 4
_CODE_BYTES = 16
_CODE_DIGITS = 6
_NONCE_BYTES = 12


class Unsealable(Exception):
    """No key of the ring opens this: it was altered, or sealed under a key that is gone."""


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _check(kind: str, body: bytes) -> bytes:
    return zlib.crc32(kind.encode() + body).to_bytes(_CHECK_BYTES)


def new_token(kind: str) -> str:
    """Return a bearer secret of 256 random bits: `gp_<kind>_` so that leak scanners know it, and a checksum."""
    body = secrets.token_bytes(_TOKEN_BYTES)
    return f"gp_{kind}_{_text(body + _check(kind, body))}"


def new_code() -> str:
    """Return six random digits to be typed in. Twenty bits: whoever takes it must count the guesses."""
    return f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"


def well_formed(kind: str, token: str) -> bool:
    """Tell whether this could be a token of that kind, so that garbage never reaches the database."""
    raw = _bytes(token, f"gp_{kind}_")
    body, check = raw[:_TOKEN_BYTES], raw[_TOKEN_BYTES:]
    return len(body) == _TOKEN_BYTES and hmac.compare_digest(check, _check(kind, body))


def _bytes(token: str, prefix: str) -> bytes:
    """Return what a token of that prefix encodes; nothing if it is not one in our own spelling."""
    if not token.startswith(prefix) or not token.isascii():
        return b""
    encoded = token[len(prefix) :]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    # Base64 has several spellings of one value; only ours is accepted.
    return raw if _text(raw) == encoded else b""


class BoundTokens:
    """Bearer secrets that name what they belong to, so that it is found by its key, and that nobody else can make.

    `head` is read from a token without a look at the database; a message authentication code under one of `keys`
    (the first makes new ones) keeps garbage away from it. Each head has `length` bytes.
    """

    def __init__(self, kind: str, length: int, keys: Sequence[bytes]) -> None:
        self._prefix = f"gp_{kind}_"
        self._length = length
        self._keys = keys

    def make(self, head: bytes) -> str:
        """Return a new token with 256 random bits: `gp_<kind>_` so that leak scanners know it."""
        body = head + secrets.token_bytes(_TOKEN_BYTES)
        return self._prefix + _text(body + self._code(self._keys[0], body))

    def head(self, token: str) -> bytes | None:
        """Return what the token belongs to; None if it is none of ours."""
        raw = _bytes(token, self._prefix)
        body, code = raw[: self._length + _TOKEN_BYTES], raw[self._length + _TOKEN_BYTES :]
        if len(code) != _CODE_BYTES:
            return None
        if not any(hmac.compare_digest(code, self._code(key, body)) for key in self._keys):
            return None
        return body[: self._length]

    def _code(self, key: bytes, body: bytes) -> bytes:
        return hmac.digest(key, self._prefix.encode() + body, "sha256")[:_CODE_BYTES]


def digest(token: str) -> bytes:
    """Return what is stored of a token: SHA-256, enough for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def new_secret_key() -> str:
    """Return a value fit for GATEPOST_SECRET_KEY: 256 bits, 43 characters."""
    return secrets.token_urlsafe(MINIMUM_KEY_BYTES)


_PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "secret",
    "password",
    "example",
    "your-",
    "default",
)
_LEAST_DISTINCT = 12


def weakness(key: str) -> str | None:
    """Say in one phrase why this must not be a secret key, or return None if it may be."""
    if len(key.encode()) < MINIMUM_KEY_BYTES:
        return f"is shorter than {MINIMUM_KEY_BYTES} bytes"
    if any(word in key.casefold() for word in _PLACEHOLDERS):
        return "looks like a placeholder"
    if len(set(key)) < _LEAST_DISTINCT or key in (key + key)[1:-1]:
        return "repeats a few characters"
    return None


def sealed_for(token: str, key: bytes, value: bytes) -> bytes:
    """Encrypt `value` for whoever shows `token` again: without the token, `key` and the database open nothing."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher_of(token, key).encrypt(nonce, value, None)


def opened_with(token: str, key: bytes, sealed: bytes) -> bytes:
    """Return what was sealed for this token. Raises Unsealable."""
    try:
        return _cipher_of(token, key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise Unsealable("altered, or sealed for another token") from error


def _cipher_of(token: str, key: bytes) -> AESGCM:
    # The token has 256 random bits, so one pass of a keyed hash makes a key of it.
    return AESGCM(hmac.digest(key, token.encode(), "sha256"))


class KeyRing:
    """Seals under the first key, opens under any; also derives keys for other purposes from the first.

    Each sealed value names the key (a short hash) that sealed it. `purpose` is bound to the value as
    associated data: what was sealed for one column and row cannot be moved to another.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        self._masters = [key.encode() for key in keys]
        sealing = [_derive(master, b"gatepost sealing") for master in self._masters]
        self._ids = [hashlib.sha256(key).digest()[:KEY_ID_BYTES] for key in sealing]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in zip(self._ids, sealing, strict=True)}
        # Services that live for one request ask for theirs again.
        self._derived: dict[str, tuple[bytes, ...]] = {}

    def seal(self, value: bytes, purpose: str) -> bytes:
        """Encrypt and authenticate `value` (AES-256-GCM)."""
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._ids[0]
        return key_id + nonce + self._ciphers[key_id].encrypt(nonce, value, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Return what was sealed for the same purpose. Raises Unsealable."""
        key_id, rest = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Unsealable("sealed under a key that is not in the ring")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable("altered, or sealed for another purpose") from error

    @property
    def key_ids(self) -> list[bytes]:
        """What values sealed under each key begin with, those of the first key first."""
        return [*self._ids]

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that depend on the first key and the purpose alone (HKDF, RFC 5869)."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> list[bytes]:
        """Return the same for every key of the ring, the current one first."""
        if purpose not in self._derived:
            info = b"gatepost " + purpose.encode()
            self._derived[purpose] = tuple(_derive(master, info) for master in self._masters)
        return [*self._derived[purpose]]


def _derive(master: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(master)
