"""For which domain passkeys are, and from which pages they are taken."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from gatepost.passkeys.settings import PasskeyOptions

__all__ = ["RELATED_ORIGINS", "Site", "trouble"]

RELATED_ORIGINS = "/.well-known/webauthn"
"""Where browsers look, at the root of the domain, for its related origins (WebAuthn Level 3, section 5.11)."""


@dataclass(frozen=True, slots=True)
class Site:
    """The relying party: the domain, what it is called, and the origins from which passkeys are taken."""

    rp_id: str
    name: str
    origins: frozenset[str]

    @classmethod
    def of(cls, options: PasskeyOptions, public_url: str, name: str) -> Self:
        """Return what these settings make of it."""
        rp_id = options.rp_id or _domain(public_url)
        own = [origin for origin in _own(public_url) if _is_within(origin, rp_id)]
        return cls(rp_id, name, frozenset({*own, *options.origins, *options.related_origins}))


def trouble(options: PasskeyOptions, public_url: str) -> str | None:
    """Return what is wrong with these settings, None if nothing is: no browser would say it so clearly."""
    rp_id = options.rp_id or _domain(public_url)
    for origin in options.origins:
        if origin.startswith("http") and not _is_within(origin, rp_id):
            return f"GATEPOST_PASSKEYS__ORIGINS names {origin}, which is not below {rp_id}: no page there can use them."
    if options.rp_id is not None and not Site.of(options, public_url, "").origins:
        return f"GATEPOST_PASSKEYS__RP_ID is {rp_id}, and no origin is below it: no page could use a passkey."
    return None


def _domain(public_url: str) -> str:
    host = urlsplit(public_url).hostname or ""
    # No address can be such a domain; browsers let `localhost` be one, for developers.
    return "localhost" if _is_loopback(host) else host


def _own(public_url: str) -> list[str]:
    """Return our own origin, and where it is a loopback address, the name of that."""
    parts = urlsplit(public_url)
    port = f":{parts.port}" if parts.port and parts.port != {"https": 443, "http": 80}[parts.scheme] else ""
    host = parts.hostname or ""
    return [f"{parts.scheme}://{'localhost' if _is_loopback(host) else host}{port}"]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_within(origin: str, rp_id: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return host == rp_id or host.endswith(f".{rp_id}")
