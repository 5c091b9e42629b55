"""The sessions that ended: the issuer's signed list, read again and again, and kept for as long as tokens live."""

import logging
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gatepost.guard.caller import Caller
from gatepost.guard.clock import Clock
from gatepost.guard.discovery import Discovery
from gatepost.guard.errors import Unverifiable
from gatepost.guard.fetch import Fetch, Unfetched
from gatepost.guard.jose import MALFORMED, extracted, opened
from gatepost.guard.keys import Keys

__all__ = ["TYPE", "EndedSessions"]

_log = logging.getLogger("gatepost.guard")

TYPE = "revoked-sessions+jwt"
_HEADER = {"alg", "typ", "kid"}
_REFUSED_POSITION = {400, 422}
# More than these would be some 40 MB. Whoever has more of them cannot be told from somebody who fills memories.
MOST = 200_000
_MOST_PAGES = 500
_LONGEST_ID, _LONGEST_POSITION, _LONGEST_KEEP = 64, 200, 172_800


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of the list. `complete_since`: from then on it is whole; `keep`: so long a token can be alive."""

    issued_at: int
    sessions: list[str]
    following: str
    more: bool
    complete_since: int
    keep: int
    kids: frozenset[str]


class EndedSessions:
    """Knows which sessions ended, and for which tokens it can tell. One task reads; every request looks."""

    def __init__(
        self, issuer: str, discovery: Discovery, keys: Keys, fetch: Fetch, clock: Clock, leeway: float
    ) -> None:
        self._issuer = issuer
        self._discovery = discovery
        self._keys = keys
        self._fetch = fetch
        self._clock = clock
        self._leeway = leeway
        self._position: str | None = None
        self._until: OrderedDict[str, float] = OrderedDict()
        self._whole_since = math.inf
        self._failed = False
        self.as_of = -math.inf
        """Up to when (seconds since the epoch) it is known who ended."""

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def age(self) -> float:
        """Return how old the list is, in seconds."""
        return self._clock.now() - self.as_of

    def covers(self, caller: Caller, max_age: float) -> bool:
        """Tell whether an end of the caller's session would be known: of one before the token, too."""
        return self.age() <= max_age and caller.issued_at >= self._whole_since

    async def read(self) -> None:
        """Read what is new, if the issuer lets us; what was known stays known."""
        try:
            await self._walk()
        except (Unfetched, Unverifiable, *MALFORMED) as error:
            if isinstance(error, Unfetched) and error.status in _REFUSED_POSITION:
                self._position = None
            if not self._failed:
                _log.warning("The list of ended sessions cannot be read: %s", error)
            self._failed = True
            return
        if self._failed:
            _log.warning("The list of ended sessions can be read again.")
        self._failed = False

    async def _walk(self) -> None:
        place = (await self._discovery.places()).ended_sessions
        if place is None:
            raise Unfetched("the issuer has none")
        first = page = await self._page(place, self._position)
        self._remember(page)
        for _ in range(_MOST_PAGES):
            if not page.more:
                break
            page = await self._page(place, page.following)
            self._remember(page)
        else:
            raise Unfetched("it does not end")
        if first.complete_since > self.as_of:
            # We were away for longer than it goes back: of older tokens nobody can say whose sessions ended.
            self._whole_since = first.complete_since
        self._position = page.following
        self.as_of = max(self.as_of, first.issued_at)
        self._forget_old()
        if page.kids != self._keys.kids:
            await self._keys.renew()

    async def _page(self, place: str, position: str | None) -> _Page:
        url = place if position is None else f"{place}?after={quote(position, safe='')}"
        sealed = extracted((await self._fetch(url)).body.decode("ascii"))
        if sealed.header.keys() != _HEADER or sealed.header["typ"] != TYPE:
            raise ValueError("not a list of ended sessions")
        kid = sealed.header["kid"]
        key = await self._keys.find(kid) if type(kid) is str else None
        if key is None:
            raise ValueError("signed with a key that the issuer does not publish")
        page = _page_of(opened(sealed, key), self._issuer)
        if page.issued_at > self._clock.now() + self._leeway:
            raise ValueError("it comes from the future")
        return page

    def _remember(self, page: _Page) -> None:
        until = self._clock.monotonic() + page.keep
        for session_id in page.sessions:
            self._until.setdefault(session_id, until)
        if len(self._until) > MOST:
            _log.error("More than %d sessions ended lately; the oldest are forgotten.", MOST)
            while len(self._until) > MOST:
                self._until.popitem(last=False)
            self._whole_since = max(self._whole_since, page.issued_at)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)


def _page_of(said: dict[str, Any], issuer: str) -> _Page:
    """Return the page that verified claims hold. Raises one of MALFORMED."""
    sessions, following, kids = said["sessions"], said["next"], said["kids"]
    numbers = [said[name] for name in ("iat", "complete_since", "keep")]
    if said["iss"] != issuer or any(type(each) is not int or each < 0 for each in numbers):
        raise ValueError("not a list of this issuer")
    if type(following) is not str or len(following) > _LONGEST_POSITION or type(said["more"]) is not bool:
        raise ValueError("not a list that can be read on")
    if not (_are_ids(sessions) and _are_ids(kids)):
        raise ValueError("not a list of ids")
    issued_at, complete_since, keep = numbers
    return _Page(
        issued_at,
        sessions,
        following,
        said["more"],
        complete_since,
        min(keep, _LONGEST_KEEP),
        frozenset(kids),
    )


def _are_ids(given: Any) -> bool:
    return type(given) is list and all(type(each) is str and len(each) <= _LONGEST_ID for each in given)
