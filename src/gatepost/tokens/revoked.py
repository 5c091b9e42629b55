"""Which sessions ended before their access tokens did: a signed list that other services read again and again."""

import hashlib
import json
import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jws

from gatepost.core.clock import Clock
from gatepost.core.database import Reader
from gatepost.core.errors import Invalid
from gatepost.tokens import queries
from gatepost.tokens.access_token import PINNED
from gatepost.tokens.keys import KeyStore

__all__ = ["TYPE", "PositionInvalid", "RevokedSessions", "SignedList"]

TYPE = "revoked-sessions+jwt"
PAGE = 1000
# Beyond their life, tokens are accepted by services whose clocks are behind ours.
SKEW = timedelta(minutes=5)
# An event bears the time just before its transaction commits. Whoever has read up to now reads this much again,
# so that nothing is missed that became visible late, or was written by a process whose clock is behind.
OVERLAP = timedelta(seconds=30)
# Lists of the same moment are the same, so that a cache between us and many readers asks once.
_MOMENT = timedelta(seconds=2)
_REMEMBERED = 32

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR = re.compile(r"([0-9]{1,17})(?:\.([0-9a-f]{32})\.([0-9]{1,17}))?")
_FIRST = UUID(int=0)


class PositionInvalid(Invalid):
    """`after` is not a position that a list of ended sessions gave out."""

    code = "position-invalid"
    sentence = "The position is not one that a list of ended sessions gave out."

    def __init__(self) -> None:
        super().__init__(field="query.after")


@dataclass(frozen=True, slots=True)
class SignedList:
    """One page in compact serialization, and the entity tag of what it says."""

    body: str
    etag: str


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a reader goes on: behind this event. `resume` is where the walk after this one begins."""

    at: datetime
    id: UUID = _FIRST
    resume: datetime | None = None

    @classmethod
    def read(cls, cursor: str) -> "_Position":
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise PositionInvalid
        at, event_id, resume = found.groups()
        if event_id is None:
            return cls(_instant(at))
        return cls(_instant(at), UUID(event_id), _instant(resume))

    def cursor(self) -> str:
        if self.resume is None:
            return str(_microseconds(self.at))
        return f"{_microseconds(self.at)}.{self.id.hex}.{_microseconds(self.resume)}"


class RevokedSessions:
    """Lists the sessions that ended no longer ago than an access token can live, in the order in which they did."""

    def __init__(self, read: Reader, keys: KeyStore, issuer: str, clock: Clock) -> None:
        self._read = read
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._signed: OrderedDict[tuple[str, bytes], SignedList] = OrderedDict()

    async def after(self, cursor: str | None) -> SignedList:
        """Return the page behind a position, the first one without. Raises PositionInvalid."""
        moment = _moment(self._clock.now())
        # Tokens from before a shorter life was set may live longer than those of now.
        kept = await self._keys.longest_token() + SKEW
        oldest = moment - kept
        position = _Position.read(cursor) if cursor is not None else _Position(oldest)
        if position.at < oldest:
            # Nobody needs what lies before, and we do not promise to have it.
            position = _Position(oldest, resume=position.resume)
        asked = {"at": position.at, "id": position.id, "limit": PAGE + 1}
        rows = await self._read.rows(queries.ENDED_SESSIONS, asked)
        page, more = rows[:PAGE], len(rows) > PAGE
        # Fixed when the walk begins, however long it takes: else what is committed meanwhile could fall between.
        resume = position.resume or moment - OVERLAP
        following = _Position(page[-1].at, page[-1].id, resume) if more else _Position(resume)
        return await self._sign(
            {
                "iss": self._issuer,
                "iat": int(moment.timestamp()),
                "sessions": [row.data["session_id"] for row in page],
                "next": following.cursor(),
                "more": more,
                "complete_since": math.ceil(position.at.timestamp()),
                "keep": int(kept.total_seconds()),
                "kids": [key["kid"] for key in (await self._keys.jwks())["keys"]],
            }
        )

    async def _sign(self, claims: dict[str, Any]) -> SignedList:
        key = await self._keys.signing()
        payload = json.dumps(claims, separators=(",", ":")).encode()
        said = (key.kid, hashlib.sha256(payload).digest())
        signed = self._signed.get(said)
        if signed is None:
            header = {"alg": key.algorithm, "typ": TYPE, "kid": key.kid}
            body = jws.serialize_compact(header, payload, key.jwk, registry=PINNED[key.algorithm])
            signed = self._signed[said] = SignedList(body, f'"{said[1].hex()[:32]}"')
            if len(self._signed) > _REMEMBERED:
                self._signed.popitem(last=False)
        return signed


def _moment(now: datetime) -> datetime:
    return now - (now - _EPOCH) % _MOMENT


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: str) -> datetime:
    return _EPOCH + int(microseconds) * _MICROSECOND
