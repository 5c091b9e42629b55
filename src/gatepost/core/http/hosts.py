"""Under which names the service may be asked for."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

__all__ = ["Hosts"]

_LONGEST = 262  # a name of 253 characters, brackets or not, and a port
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
# Names that no stranger can register, so no foreign page can point one at us and read the answers (DNS
# rebinding): RFC 6761, RFC 6762, RFC 8375 and ICANN's `.internal`.
_PRIVATE = (".localhost", ".test", ".internal", ".local", ".home.arpa")


class Hosts:
    """Decides whether a Host header (RFC 9110, section 7.2) names this service.

    `names` are exact, or a suffix as `*.example.com`. With `private`, addresses and names that cannot be in the
    public DNS are ours too. The port is not compared: nothing we answer is made from the header, and proxies
    differ in whether they pass it on.
    """

    def __init__(self, names: Iterable[str], *, private: bool) -> None:
        found = [name.casefold() for name in names]
        self._names = {name for name in found if not name.startswith("*.")}
        self._suffixes = tuple(name[1:] for name in found if name.startswith("*."))
        self._private = private
        self._known = lru_cache(256)(self._is_ours)

    def allow(self, header: bytes) -> bool:
        """Tell whether it is well formed and one of ours."""
        return len(header) <= _LONGEST and self._known(header)

    def _is_ours(self, header: bytes) -> bool:
        found = _HOST.fullmatch(header)
        if found is None:
            return False
        name = found[1].decode("ascii").casefold()
        if name in self._names or name.endswith(self._suffixes):
            return True
        return self._private and _is_private(name)


def _is_private(name: str) -> bool:
    if "." not in name and not name.startswith("["):
        return True
    if name.endswith(_PRIVATE):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
