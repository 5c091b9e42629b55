"""The client's address: the connection's, or what proxies that a setting names say of it. Never a guess."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from starlette.types import Scope

from gatepost.core.logging import Logger
from gatepost.core.proxies import MOST_HOPS, ForwardedHeader, hops_or_networks

__all__ = ["Addresses", "Origin"]

_FORWARDING = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
_LONGEST_CHAIN = 4096
_PORT = re.compile(r":\d{1,5}$")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  RFC 9110, 5.6.2
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*+)")')


class Origin(NamedTuple):
    """Where a request came from. `network` is what counts as one client, unless `shared` by an unknown number."""

    address: str | None
    network: str | None
    shared: bool


_NOBODY = Origin(None, None, shared=True)


@dataclass(frozen=True, slots=True)
class _Address:
    """What there is to know of one address: what it is as a client of its own, and as one that hides others."""

    alone: Origin
    hiding: Origin
    trusted: bool
    private: bool


class Addresses:
    """Tells who is calling. `trusted` are the networks of proxies, or one number: how many there are.

    Only `header` is read, and only where a trusted proxy wrote it. An IPv6 client is its network of
    `ipv6_prefix` bits. `behind_tls`: clients use https and we serve http, so there must be a proxy.
    """

    def __init__(
        self,
        trusted: Sequence[str],
        header: ForwardedHeader,
        ipv6_prefix: int,
        log: Logger,
        *,
        behind_tls: bool,
    ) -> None:
        self.uncovered = False
        """Whether requests came with a forwarding header that no setting covers."""
        self._hops, self._networks = hops_or_networks(trusted)
        self._header = header.encode()
        self._ipv6_prefix = ipv6_prefix
        self._log = log
        self._behind_tls = behind_tls
        self._look_up = lru_cache(8192)(self._read)

    def network(self, address: str) -> str | None:
        """Return what counts as one client with this address, None if it is no address."""
        known = self._look_up(address)
        return known.alone.network if known else None

    def one_client(self, address: str) -> str | None:
        """Return the network of an address on the Internet that is no proxy's; None for all others may hide many."""
        known = self._look_up(address)
        return None if known is None or known.trusted or known.private else known.alone.network

    def origin(self, scope: Scope) -> Origin:
        """Return where a request came from."""
        client = scope.get("client")
        peer = self._look_up(client[0]) if client else None
        told = [name for name, _ in scope["headers"] if name in _FORWARDING]
        if not told:
            return _origin(peer, shared=False)
        if self._believes(peer) and self._header in told:
            return _origin(self._client(peer, self._chain(scope)), shared=False)
        # Somebody claims to forward. If it is a proxy that no setting covers, all its clients have one address.
        self._notice()
        near = peer is None or peer.private
        return _origin(peer, shared=self._believes(peer) or (near and self._behind_tls))

    def _believes(self, peer: _Address | None) -> bool:
        return bool(self._hops) or (peer is not None and peer.trusted)

    def _client(self, peer: _Address | None, chain: list[str | None]) -> _Address | None:
        """Return the client of a chain of hops, the nearest last; None in it is a hop that cannot be read."""
        if self._hops:
            hop = chain[-self._hops] if len(chain) >= self._hops else None
            return (self._look_up(hop) if hop else None) or peer
        nearest = peer
        for hop in reversed(chain):
            found = self._look_up(hop) if hop else None
            if found is None:
                break
            nearest = found
            if not found.trusted:
                break
        return nearest

    def _chain(self, scope: Scope) -> list[str | None]:
        lines = [value for name, value in scope["headers"] if name == self._header]
        text = b",".join(lines).decode("latin-1")
        hops = _forwarded(text) if self._header == b"forwarded" else text.split(",")
        return [_host(hop) for hop in hops[-MOST_HOPS:]]

    def _notice(self) -> None:
        if not self.uncovered:
            self.uncovered = True
            self._log.warning("proxy.unconfigured", mend="set GATEPOST_TRUSTED_PROXIES")

    def _read(self, text: str) -> _Address | None:
        address = _parsed(text)
        if address is None:
            return None
        network = str(address)
        if isinstance(address, IPv6Address):
            network = str(IPv6Network((address, self._ipv6_prefix), strict=False))
        trusted = any(address in proxies for proxies in self._networks)
        alone, hiding = (Origin(str(address), network, shared) for shared in (False, True))
        return _Address(alone, hiding, trusted, not address.is_global)


def _origin(known: _Address | None, *, shared: bool) -> Origin:
    if known is None:
        return _NOBODY
    return known.hiding if shared else known.alone


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    # A scope id names an interface of some other machine.
    if len(text) > 45 or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _host(hop: str) -> str | None:
    """Return the address of a hop without its port, None if there is none (RFC 7239, section 6)."""
    hop = hop.strip(" \t")
    if hop.startswith("["):
        host, bracket, port = hop[1:].partition("]")
        return host if bracket and ":" in host and (not port or _PORT.fullmatch(port)) else None
    if hop.count(":") == 1:
        return _PORT.sub("", hop) or None
    return hop or None


def _forwarded(text: str) -> list[str]:
    """Return the `for` of each element, "" where it has none (RFC 7239, section 4).

    Nothing of it if any of it is malformed: a quote that a client leaves open could swallow what the proxies
    wrote behind it.
    """
    if len(text) > _LONGEST_CHAIN:
        return []
    hops: list[str] = []
    place = 0
    while True:
        pairs, place = _element(text, place)
        if pairs is None:
            return []
        hops.append(pairs.get("for", ""))
        if place == len(text):
            return hops
        place += 1


def _element(text: str, place: int) -> tuple[dict[str, str] | None, int]:
    """Read pairs up to a comma or the end; return them, None if malformed, and where that is."""
    pairs: dict[str, str] = {}
    while True:
        place = _skip(text, place)
        found = _PAIR.match(text, place)
        if found is not None:
            name, token, quoted = found.groups()
            if name.casefold() in pairs:
                return None, place
            pairs[name.casefold()] = token if token is not None else re.sub(r"\\(.)", r"\1", quoted)
            place = _skip(text, found.end())
        if place == len(text) or text[place] == ",":
            return pairs, place
        if text[place] != ";":
            return None, place
        place += 1


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t":
        place += 1
    return place
