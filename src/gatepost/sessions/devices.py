"""What people recognise a sign-in by: the browser's name, and as much of the address as is kept."""

import re
from ipaddress import ip_address, ip_network

from gatepost.sessions.settings import AddressDetail

__all__ = ["device", "recorded_address"]

# The first that matches: each later name also stands in the user agents of the earlier ones.
_BROWSERS = (
    ("Edge", r"\bEdg(?:e|A|iOS)?/"),
    ("Opera", r"\b(?:OPR|Opera)/"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/"),
    ("Chrome", r"\b(?:Chrome|CriOS|Chromium)/"),
    ("Safari", r"\bSafari/"),
)
_SYSTEMS = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("macOS", r"\bMac OS X\b"),
    ("Linux", r"\bLinux\b"),
)
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,39}(?=/)")


def device(user_agent: str | None) -> str | None:
    """Return a label such as `Firefox on Linux`; None where the header says nothing that people would know."""
    if not user_agent:
        return None
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser is None:
        product = _PRODUCT.match(user_agent)
        browser = product.group() if product and product.group() != "Mozilla" else None
    if browser and system:
        return f"{browser} on {system}"
    return browser or system


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((name for name, pattern in names if re.search(pattern, user_agent)), None)


def recorded_address(address: str | None, detail: AddressDetail) -> str | None:
    """Return what is kept of the address that a sign-in came from."""
    if address is None or detail == "none":
        return None
    if detail == "full":
        return address
    try:
        prefix = 24 if ip_address(address).version == 4 else 48
        return str(ip_network(f"{address}/{prefix}", strict=False))
    except ValueError:
        return None  # a name that a server put in its place is no address
