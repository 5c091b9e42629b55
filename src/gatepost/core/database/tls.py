"""TLS to a database server, by the names that libpq made usual: `?sslmode=verify-full&sslrootcert=ca.pem`."""

import ssl
from typing import Any

from sqlalchemy import URL

from gatepost.core.errors import Stopped

__all__ = ["tls"]

_NAMES = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_UNVERIFIED = {"disable": False, "allow": "allow", "prefer": "prefer"}
_VERIFIED = {"require", "verify-ca", "verify-full"}


def tls(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return the URL without its TLS parameters, and what they mean to the driver.

    As with libpq, `require` encrypts and verifies nothing unless `sslrootcert` is given, `verify-ca` asks for a
    certificate that an authority vouches for, `verify-full` for one of this host; both take the system's
    authorities without `sslrootcert`. Raises Stopped for a mode nobody knows, and for a file that cannot be used.
    """
    given = {name: str(url.query[name]) for name in _NAMES if name in url.query}
    if not given:
        return url, {}
    bare = url.difference_update_query(_NAMES)
    mode = given.get("sslmode", "verify-ca" if "sslrootcert" in given else "prefer")
    if mode in _UNVERIFIED:
        return bare, {"ssl": _UNVERIFIED[mode]}
    if mode not in _VERIFIED:
        raise Stopped(f"sslmode={mode} in GATEPOST_DATABASE_URL is none of {', '.join(_modes())}.")
    try:
        return bare, {"ssl": _context(mode, given)}
    except (OSError, ssl.SSLError) as error:
        raise Stopped(
            f"A certificate file in GATEPOST_DATABASE_URL cannot be used ({error.strerror})."
        ) from error


def _modes() -> list[str]:
    return [*_UNVERIFIED, *sorted(_VERIFIED)]


def _context(mode: str, given: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=given.get("sslrootcert"))
    context.check_hostname = mode == "verify-full"
    if mode == "require" and "sslrootcert" not in given:
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in given:
        context.load_cert_chain(given["sslcert"], given.get("sslkey"))
    return context
