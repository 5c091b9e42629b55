"""Which proxies are believed: what the list in the settings means; and which addresses never leave the machine."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

__all__ = ["MOST_HOPS", "ForwardedHeader", "hops_or_networks", "is_loopback"]

ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

MOST_HOPS = 20


def hops_or_networks(trusted: Sequence[str]) -> tuple[int, list[IPv4Network | IPv6Network]]:
    """Return the number of proxies, or their networks. Raises ValueError if it is neither."""
    if len(trusted) == 1 and trusted[0].isascii() and trusted[0].isdigit():
        hops = int(trusted[0][:4])
        if not 1 <= hops <= MOST_HOPS:
            raise ValueError(f"a number of proxies is from 1 to {MOST_HOPS}")
        return hops, []
    try:
        return 0, [ip_network(each) for each in trusted]
    except ValueError:
        raise ValueError("list networks such as 10.0.0.0/8, or give the number of proxies") from None


def is_loopback(host: str) -> bool:
    """Tell whether an address, or the name `localhost`, is this machine's own."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
