"""What was last read behind a token, for as long as nothing of it can have changed since."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from gatepost.access import permissions_of
from gatepost.core.bus import LEASE, Bus
from gatepost.core.clock import Clock
from gatepost.core.database import Reader
from gatepost.core.principal import Principal
from gatepost.core.secrets import BoundTokens, KeyRing, digest
from gatepost.sessions import ENDED, SessionOptions, over
from gatepost.tokens import queries
from gatepost.tokens.access_token import AccessTokens
from gatepost.tokens.errors import SessionOver, TokenInvalid
from gatepost.users import UserOut

__all__ = [
    "Authenticated",
    "Authentication",
    "Caller",
    "Callers",
    "Freshness",
    "Leased",
    "Unchanged",
    "session_cookies",
]

REMEMBERED = 10_000
# Who sits in front of a browser of theirs may do all that they may.
BROWSER_SCOPE = "account"
# Who changes something waits for the whole lease where not everybody answers: this is over before.
_KEPT_SECONDS = 0.9 * LEASE


class Caller:
    """A live session, its person and what their roles permit: as one statement found them."""

    def __init__(self, rows: Sequence[Any], options: SessionOptions) -> None:
        row = rows[0]
        self.profile = row
        self.session_id: UUID = row.session_id
        self.last_seen_at: datetime = row.last_seen_at
        self.expires_at = min(
            row.expires_at,
            row.session_created_at + options.lifetime,
            row.last_seen_at + options.idle_lifetime,
        )
        self._permissions = permissions_of(row.role for row in rows)
        self._principals: dict[str, Principal] = {}

    @cached_property
    def profile_json(self) -> bytes:
        """The profile as `UserOut`, in JSON."""
        return UserOut.model_validate(self.profile).model_dump_json().encode()

    def principal(self, scope: str) -> Principal:
        """Return the caller as a credential of the session with this scope presents them."""
        known = self._principals.get(scope)
        if known is None:
            row = self.profile
            known = self._principals[scope] = Principal(
                subject=row.id,
                session_id=row.session_id,
                client_id=row.client_id,
                scope=frozenset(scope.split()),
                permissions=self._permissions,
                amr=tuple(row.amr),
                acr=row.acr,
                auth_time=row.auth_time,
                carrier="cookie" if row.cookie_digest else "bearer",
                key_thumbprint=row.key_thumbprint,
            )
        return known


class Freshness(Protocol):
    """Decides whether what was read then may be used now."""

    def stamp(self) -> float | None:
        """Return a mark of this moment, to be made before a read; None while nothing may be remembered."""
        ...

    def holds(self, then: float, now: float) -> bool:
        """Tell whether what was read after the one mark is good at the other."""
        ...


class Unchanged:
    """SQLite counts the commits of every process: under the same count everything is as it was."""

    def __init__(self, read: Reader) -> None:
        self._read = read

    def stamp(self) -> float | None:
        return self._read.version()

    def holds(self, then: float, now: float) -> bool:
        return then == now


class Leased:
    """While the bus brings what others change, what was read is good until forgotten, and never longer than a lease."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._monotonic = monotonic

    def stamp(self) -> float | None:
        return self._monotonic() if self._bus.listening else None

    def holds(self, then: float, now: float) -> bool:
        return now - then < _KEPT_SECONDS


class _Read:
    """One read that was begun, and its result once it has ended."""

    __slots__ = ("result", "stamp")

    def __init__(self, stamp: float, result: asyncio.Task[Caller | None]) -> None:
        self.stamp = stamp
        self.result = result


type _Key = tuple[UUID, UUID]


class Callers:
    """Reads who stands behind a token, once for all who ask at the same time, and remembers it while it is fresh.

    `hits` and `misses` count the questions that needed no read of their own, and those that did.
    """

    def __init__(self, read: Reader, freshness: Freshness, options: SessionOptions) -> None:
        self._read = read
        self._freshness = freshness
        self._options = options
        self._reads: OrderedDict[_Key, _Read] = OrderedDict()
        self._keys_of: dict[str, set[_Key]] = {}
        self.hits = 0
        self.misses = 0

    async def behind(self, session_id: UUID, user_id: UUID, now: datetime) -> Caller | None:
        """Return who is calling; None: the token speaks for nobody."""
        key = (session_id, user_id)
        # Marked before the read: what is committed in between makes the answer old at once, never new too late.
        stamp = self._freshness.stamp()
        begun = self._reads.get(key)
        if stamp is None:
            self.misses += 1
            caller = await self._fetch(key, now)
        elif begun is None or not self._freshness.holds(begun.stamp, stamp):
            self.misses += 1
            caller = await asyncio.shield(self._begin(key, stamp, now))
        else:
            self.hits += 1
            self._reads.move_to_end(key)
            caller = begun.result.result() if begun.result.done() else await asyncio.shield(begun.result)
        return caller if caller is not None and caller.expires_at > now else None

    def forget(self, topics: Collection[str]) -> None:
        """Forget these people. A read that is under way answers only those who wait for it already."""
        for topic in topics:
            for key in self._keys_of.pop(topic, ()):
                del self._reads[key]

    def forget_all(self) -> None:
        """Forget everybody."""
        self._reads.clear()
        self._keys_of.clear()

    def _begin(self, key: _Key, stamp: float, now: datetime) -> asyncio.Task[Caller | None]:
        # A task of its own: it goes on for the others when the request that began it is cancelled.
        result = asyncio.Task(self._fetch(key, now), loop=asyncio.get_running_loop(), eager_start=True)
        read = self._reads[key] = _Read(stamp, result)
        self._reads.move_to_end(key)
        self._keys_of.setdefault(str(key[1]), set()).add(key)
        if len(self._reads) > REMEMBERED:
            self._drop(next(iter(self._reads)))
        if not result.done() or result.exception() is not None:
            result.add_done_callback(lambda _: self._drop_failed(key, read))
        return result

    def _drop_failed(self, key: _Key, read: _Read) -> None:
        failed = read.result.cancelled() or read.result.exception() is not None
        if failed and self._reads.get(key) is read:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        del self._reads[key]
        keys = self._keys_of[str(key[1])]
        keys.discard(key)
        if not keys:
            del self._keys_of[str(key[1])]

    async def _fetch(self, key: _Key, now: datetime) -> Caller | None:
        asked = {"session_id": key[0], "user_id": key[1], **self._options.bounds(now)}
        rows = await self._read.rows(queries.CALLER, asked)
        return Caller(rows, self._options) if rows else None

    async def raise_over(self, session_id: UUID, now: datetime) -> None:
        """Raise SessionOver with the reason why nobody is behind a session; TokenInvalid if none is known."""
        row = await self._read.first(ENDED, {"session_id": session_id})
        ended = over(row, self._options, now) if row else None
        if ended is None:
            raise TokenInvalid
        raise SessionOver(ended.reason.value, ended.event)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A caller, and the committed state they were read from."""

    principal: Principal
    caller: Caller


class Authentication:
    """Tells whose a credential is. Asked with every request, so it is built once, and not in a unit of work."""

    def __init__(
        self, access_tokens: AccessTokens, callers: Callers, cookies: BoundTokens, clock: Clock
    ) -> None:
        self._access_tokens = access_tokens
        self._callers = callers
        self._cookies = cookies
        self._clock = clock

    async def caller(self, access_token: str) -> Authenticated:
        """Return the caller behind an access token, as of now. Raises TokenInvalid, SessionOver."""
        claims = await self._access_tokens.verify(access_token)
        # Of a token that is bound to a key nothing is told before the key is proven: it may be stolen.
        told = claims.key_thumbprint is None
        caller = await self._behind(claims.session_id, claims.subject, told=told)
        return Authenticated(caller.principal(claims.scope), caller)

    async def browser(self, cookie: str) -> Authenticated:
        """Return the caller behind the cookie of a session, as of now. Raises TokenInvalid, SessionOver."""
        head = self._cookies.head(cookie)
        if head is None:
            raise TokenInvalid
        caller = await self._behind(UUID(bytes=head[:16]), UUID(bytes=head[16:]))
        kept = caller.profile.cookie_digest
        if kept is None or not hmac.compare_digest(bytes(kept), digest(cookie)):
            raise TokenInvalid
        return Authenticated(caller.principal(BROWSER_SCOPE), caller)

    async def _behind(self, session_id: UUID, user_id: UUID, *, told: bool = True) -> Caller:
        now = self._clock.now()
        caller = await self._callers.behind(session_id, user_id, now)
        if caller is None:
            if told:
                await self._callers.raise_over(session_id, now)
            raise TokenInvalid
        return caller


def session_cookies(ring: KeyRing) -> BoundTokens:
    """Return what makes the cookies of sessions and knows them: each names its session and its person."""
    return BoundTokens("cs", 32, ring.derive_all("session cookies"))
