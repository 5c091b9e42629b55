"""Passwords too common to allow, kept offline as short digests (data/NOTICE.md says where they come from)."""

import hashlib
import mmap
import struct
import threading
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import ClassVar, final

from gatepost.core.errors import Stopped

__all__ = ["MIN_LENGTH", "Blocklist", "build"]

# Shorter passwords are refused by the policy anyway, and would double the file.
MIN_LENGTH = 8

_MAGIC = b"GPBL"
_VERSION = 1
_CHECKSUM_BYTES = 16
_DIGEST_BYTES = 6
_HEADER = struct.Struct(f">4sIQ{_CHECKSUM_BYTES}s")  # magic, version, number of digests, their checksum


@final
class Blocklist:
    """A set of passwords: `"Passw0rd" in Blocklist.load()`.

    Only digests of 48 bits are kept: a password outside the list is taken for a member
    with a chance of `len(self)` in 2**48, about 1 in 600 million for the list we ship.
    """

    __slots__ = ("_count", "_data")

    _opening: ClassVar[threading.Lock] = threading.Lock()
    _shared: ClassVar["Blocklist | None"] = None

    def __init__(self, data: bytes | mmap.mmap, name: str = "in memory") -> None:
        """Take `data` as `build` makes it; raise `Stopped`, naming `name`, unless every byte is in order."""
        if damage := _damage(data):
            raise Stopped(f"The list of common passwords ({name}) is damaged: {damage}. Reinstall gatepost.")
        self._data = data
        self._count = (len(data) - _HEADER.size) // _DIGEST_BYTES

    @classmethod
    def load(cls) -> "Blocklist":
        """Return the list we ship: the first call opens it, later ones, in any thread, get the same object.

        Call it at start: a damaged file raises `Stopped` here. It reads the whole file once (2.85 MB, 8 ms).
        """
        with cls._opening:
            if cls._shared is None:
                shipped = resources.files("gatepost.passwords") / "data" / "common-passwords.bin"
                with resources.as_file(shipped) as path:
                    cls._shared = cls.from_file(path)
            return cls._shared

    @classmethod
    def from_file(cls, path: Path) -> "Blocklist":
        """Map the file at `path`, so that all processes share one copy; raise `Stopped` if it is not whole.

        Replace such a file by renaming another over it: cut short in place, it kills every process using it.
        """
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped: ValueError
            raise Stopped(
                f"The list of common passwords cannot be opened: {error} ({path}). Reinstall gatepost."
            ) from error
        return cls(data, str(path))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, password: object, /) -> bool:
        """Tell in some 5 µs whether `password` is listed, in any case; never if shorter than 8 characters.

        Takes any object, so as to be a `Container[str]`, but raises TypeError for what is not a string:
        False would let the text inside a SecretStr pass unread.
        """
        if not isinstance(password, str):
            raise TypeError(f"A password is a str, not {type(password).__name__}")
        if len(password) < MIN_LENGTH:
            return False
        # Digests spread evenly, so where one belongs can be computed: 5 reads where halving takes 19.
        wanted = int.from_bytes(_digest(password))
        first, end = 0, self._count
        lowest, beyond = 0, 1 << 8 * _DIGEST_BYTES
        while first < end:
            place = first + (wanted - lowest) * (end - first) // (beyond - lowest)
            start = _HEADER.size + place * _DIGEST_BYTES
            found = int.from_bytes(self._data[start : start + _DIGEST_BYTES])
            if found == wanted:
                return True
            if found < wanted:
                first, lowest = place + 1, found + 1
            else:
                end, beyond = place, found
        return False


def build(passwords: Iterable[str]) -> bytes:
    """Return the file that lists those of `passwords` with at least 8 characters, case-folded, each once."""
    digests = sorted({_digest(password) for password in passwords if len(password) >= MIN_LENGTH})
    body = b"".join(digests)
    return _HEADER.pack(_MAGIC, _VERSION, len(digests), _checksum(body)) + body


def _digest(password: str) -> bytes:
    # Any string a JSON body can carry must get an answer, lone surrogates too.
    folded = password.casefold().encode("utf-8", "surrogatepass")
    return hashlib.blake2b(folded, usedforsecurity=False).digest()[:_DIGEST_BYTES]


def _checksum(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECKSUM_BYTES, usedforsecurity=False).digest()


def _damage(data: bytes | mmap.mmap) -> str | None:
    """Say what is wrong with `data`, or None."""
    if len(data) < _HEADER.size:
        return f"it ends after {len(data)} bytes"
    magic, version, count, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return "it is a file of another kind"
    if version != _VERSION:
        return f"its format is {version}, not {_VERSION}"
    if len(data) != (length := _HEADER.size + count * _DIGEST_BYTES):
        return f"it has {len(data)} bytes, not {length}"
    with memoryview(data) as whole, whole[_HEADER.size :] as body:
        return None if _checksum(body) == checksum else "its checksum differs"
