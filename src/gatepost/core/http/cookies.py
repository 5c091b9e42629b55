"""Cookies of browsers that sign in, and proof that a request comes from a page that may use them."""

import hmac
from collections.abc import Collection, Sequence
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gatepost.core.errors import Forbidden

__all__ = ["CSRF_HEADER", "SAFE_METHODS", "Cookies", "CsrfRefused", "SameSite"]

SameSite = Literal["lax", "strict", "none"]

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SAFE_SITES = frozenset({"same-origin", "none"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class CsrfRefused(Forbidden):
    """The request may have been made by somebody else's page: its origin is not allowed, or the token is missing."""

    code = "csrf-refused"
    sentence = (
        "The request does not come from an allowed page (GATEPOST_CORS_ORIGINS), or lacks the session's CSRF token in "
        "X-CSRF-Token."
    )


class Cookies:
    """Names, attributes and checks of the cookies. `origins` are those whose pages may use them, beside our own.

    Under https, and on a loopback address, names begin with `__Host-`: such a cookie is never sent in the clear, and
    no other host can set it (RFC 6265bis, section 4.1.3.2). `keys`: the CSRF token is made under the first.
    """

    def __init__(
        self, public_url: str, origins: Collection[str], same_site: SameSite, keys: Sequence[bytes]
    ) -> None:
        parts = urlsplit(public_url)
        self.secure = parts.scheme == "https" or parts.hostname in _LOOPBACK
        self._scheme = parts.scheme
        self._origins = {f"{parts.scheme}://{parts.netloc.lower()}", *origins}
        self._same_site: SameSite = same_site
        self._keys = keys
        prefix = "__Host-" if self.secure else ""
        self.session_name = f"{prefix}gp_session"
        self.flow_name = f"{prefix}gp_flow"
        self.device_name = f"{prefix}gp_device"
        self.said_name = f"{prefix}gp_said"
        self.language_name = f"{prefix}gp_language"

    # ── the cookies ──────────────────────────────────────────────────────────────────────────────

    def set(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        """Keep a value in the browser, out of reach of scripts; until it is closed if `seconds` is None."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite=self._same_site,
        )

    def clear(self, response: Response, name: str) -> None:
        """Have the browser forget a cookie."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite=self._same_site)

    # ── who sends them ───────────────────────────────────────────────────────────────────────────

    def csrf_token(self, cookie: str) -> str:
        """Return the token that goes with a session's cookie."""
        return hmac.new(self._keys[0], cookie.encode(), "sha256").hexdigest()

    def need_page(self, request: Request) -> None:
        """Raise CsrfRefused if the request may come from a page that must not use our cookies.

        By `Origin`, which every browser sends with what is not a GET; without one, by Fetch Metadata. What sends
        neither is no browser, and has no cookies that a page could abuse.
        """
        origin = request.headers.get("origin")
        if origin is None:
            if request.headers.get("sec-fetch-site", "none") not in _SAFE_SITES:
                raise CsrfRefused
            return
        own = f"{self._scheme}://{request.headers.get('host', '').lower()}"
        if origin.lower() not in {own, *self._origins}:
            raise CsrfRefused

    def need_consent(self, request: Request, cookie: str) -> None:
        """Raise CsrfRefused unless a request that changes something comes from such a page and with its token."""
        if request.method in SAFE_METHODS:
            return
        self.need_page(request)
        if not self.is_csrf_token(request.headers.get(CSRF_HEADER, ""), cookie):
            raise CsrfRefused

    def is_csrf_token(self, shown: str, cookie: str) -> bool:
        """Tell whether this is the token that goes with a session's cookie, under the current key or one before."""
        wanted = [hmac.new(key, cookie.encode(), "sha256").hexdigest() for key in self._keys]
        return any(hmac.compare_digest(shown.encode(errors="replace"), each.encode()) for each in wanted)
