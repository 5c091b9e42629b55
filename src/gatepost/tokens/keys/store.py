"""The keys at hand in one process: never older than a few seconds, wherever they were changed."""

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gatepost.core.clock import Clock
from gatepost.core.database import DatabaseUnavailable, Reader
from gatepost.core.errors import Stopped
from gatepost.core.secrets import KeyRing
from gatepost.core.work import Run
from gatepost.tokens import queries
from gatepost.tokens.errors import SigningKeyUnopened
from gatepost.tokens.events import SIGNING_KEYS
from gatepost.tokens.keys.life import SigningKeys
from gatepost.tokens.keys.pairs import Jwk, private_key, public_key
from gatepost.tokens.keys.stored import StoredKeys
from gatepost.tokens.settings import LONGEST_LIFETIME, TokenOptions

__all__ = ["UNOPENED", "KeyStore", "LoadedKey", "Published"]

# After this the database is asked again, in passing. Nobody waits for the answer,
_FRESH_SECONDS = 1.0
# but after this: a key that was revoked elsewhere is refused here, whether a message came or not.
_LONGEST_SECONDS = 3.0
# How long whoever asks for the public keys waits for newer ones than those at hand.
_PATIENCE_SECONDS = 0.5
# What is left of the margin before a new key signs, for the difference between clocks.
_UNSEEN = timedelta(seconds=10)

UNOPENED = (
    "The signing key was sealed under another GATEPOST_SECRET_KEY. Start with the key it was sealed under, "
    "or list that key in GATEPOST_PREVIOUS_SECRET_KEYS."
)


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key that verifies. `jwk` holds the private half of the one that signs, if that could be opened."""

    kid: str
    algorithm: str
    jwk: Jwk
    public: dict[str, Any]
    can_sign: bool
    kept_until: datetime | None
    token_seconds: int | None

    def verifies(self, now: datetime) -> bool:
        """Tell whether the key still counts."""
        return self.kept_until is None or now < self.kept_until


@dataclass(frozen=True, slots=True)
class Published:
    """A JWK set in JSON, its entity tag, and for how many seconds it may be kept."""

    body: bytes
    etag: str
    max_age: int


@dataclass(frozen=True, slots=True)
class _AtHand:
    """The keys as they were read at one moment. `starts_at`: when the next one may sign."""

    began: float = -math.inf
    keys: dict[str, LoadedKey] = field(default_factory=dict)
    signing: LoadedKey | None = None
    starts_at: datetime | None = None


class KeyStore:
    """Keeps the keys of the database at hand. The database decides which key signs, and which count.

    `generation` changes when a key counts no more: what it verified must not either.
    """

    def __init__(
        self,
        read: Reader,
        ring: KeyRing,
        options: TokenOptions,
        clock: Clock,
        run: Run,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._ring = ring
        self._options = options
        self._clock = clock
        self._run = run
        self._monotonic = monotonic
        self._at_hand = _AtHand()
        self._read_at = -math.inf
        self._reading: tuple[int, asyncio.Task[None]] | None = None
        self._epoch = 0
        self._making = asyncio.Lock()
        self._in_json: tuple[list[str], bytes, str] | None = None
        self.generation = 0

    # ── signing and verifying ────────────────────────────────────────────────────────────────────

    async def signing(self) -> LoadedKey:
        """Return the key that signs now; make it if there is none. Raises SigningKeyUnopened."""
        if self.outdated:
            await self.refresh()
        key = self._at_hand.signing or await self._first()
        if not key.can_sign:
            raise SigningKeyUnopened(key.kid) from Stopped(UNOPENED)
        return key

    async def ready(self) -> None:
        """Have a key that may sign tokens of our lifetime. Takes a transaction of its own, where it has to make one."""
        key = await self.signing()
        if (
            key.token_seconds is not None
            and key.token_seconds < self._options.access_lifetime.total_seconds()
        ):
            await self._run(lambda work: self._keys(work).allow_our_lifetime(key.kid))
            self.forget_all()
            await self.signing()

    async def longest_token(self) -> timedelta:
        """Return the longest that a token can live which a key signed that still counts."""
        await self.signing()
        now, ours = self._clock.now(), self._options.access_lifetime
        longest = LONGEST_LIFETIME.total_seconds()
        counted = [key for key in self._at_hand.keys.values() if key.verifies(now)]
        seconds = [longest if key.token_seconds is None else key.token_seconds for key in counted]
        return max(ours, timedelta(seconds=max(seconds, default=0)))

    async def verifying(self, kid: str) -> LoadedKey | None:
        """Return the key of that id, if it counts; asks the database for ids it has not seen, at most every second."""
        if kid not in self._at_hand.keys and self.outdated:
            await asyncio.shield(self._begin_to_read())
        key = self._at_hand.keys.get(kid)
        return key if key is not None and key.verifies(self._clock.now()) else None

    async def _first(self) -> LoadedKey:
        async with self._making:
            if self._at_hand.signing is None:
                await self._run(lambda work: self._keys(work).make_first())
                self.forget_all()
                await self.refresh()
        if self._at_hand.signing is None:
            raise RuntimeError("no signing key")
        return self._at_hand.signing

    def _keys(self, work: Any) -> SigningKeys:
        return SigningKeys(work, self._ring, self._options)

    # ── publishing ───────────────────────────────────────────────────────────────────────────────

    async def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517, section 5), as of the last second.

        While the database is away, as last read: whoever verifies keeps them for minutes anyway.
        """
        if self._at_hand.signing is None:
            await self._first()
        elif self.outdated:
            reading = self._begin_to_read()
            await asyncio.wait({reading}, timeout=_PATIENCE_SECONDS)
            if reading.done():
                with suppress(DatabaseUnavailable):
                    reading.result()
        now = self._clock.now()
        return {"keys": [key.public for key in self._at_hand.keys.values() if key.verifies(now)]}

    async def published(self) -> Published:
        """Return the same in JSON, with how long it may be kept."""
        keys = await self.jwks()
        kids = [key["kid"] for key in keys["keys"]]
        if self._in_json is None or self._in_json[0] != kids:
            body = json.dumps(keys, separators=(",", ":")).encode()
            self._in_json = kids, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        _, body, etag = self._in_json
        return Published(body, etag, self._max_age())

    def _max_age(self) -> int:
        """Return how long the keys may be kept: not past the next change that is known, nor one that is not yet.

        A key that was made since the keys were read signs after the cache time and a margin, so what was read long
        ago may be kept for less.
        """
        now, cache_time = self._clock.now(), self._options.jwks_cache_time
        age = timedelta(seconds=self._monotonic() - self._at_hand.began)
        changes = [key.kept_until for key in self._at_hand.keys.values()] + [self._at_hand.starts_at]
        coming = [change - now for change in changes if change is not None and change > now]
        return max(int(min(cache_time, cache_time + _UNSEEN - age, *coming).total_seconds()), 0)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    @property
    def outdated(self) -> bool:
        """Whether it is time to ask the database again."""
        return self._age > _FRESH_SECONDS

    async def refresh(self) -> None:
        """Ask the database again, and wait for it if the keys at hand are too old to be used.

        Raises DatabaseUnavailable: who cannot learn whether a key was revoked does not trust it.
        """
        reading = self._begin_to_read()
        if self._age <= _LONGEST_SECONDS:
            return
        await asyncio.shield(reading)
        if self._age > _LONGEST_SECONDS:
            # Forgotten meanwhile, or read too slowly.
            await asyncio.shield(self._begin_to_read())
        if self._age > _LONGEST_SECONDS:
            raise DatabaseUnavailable

    def forget(self, topics: Collection[str]) -> None:
        """Forget the keys if they are among the topics."""
        if SIGNING_KEYS in topics:
            self.forget_all()

    def forget_all(self) -> None:
        """Have the next question read the keys again; what is being read at this moment counts as old."""
        self._epoch += 1
        self._read_at = -math.inf

    async def close(self) -> None:
        """Give up what is being read."""
        if self._reading is not None:
            self._reading[1].cancel()
            await asyncio.wait({self._reading[1]})

    @property
    def _age(self) -> float:
        return self._monotonic() - self._read_at

    def _begin_to_read(self) -> asyncio.Task[None]:
        """Return the read that is under way, or a new one. Nobody who gives up waiting ends it for the others."""
        if self._reading is None or self._reading[1].done() or self._reading[0] != self._epoch:
            task = asyncio.Task(self._load(), loop=asyncio.get_running_loop(), eager_start=True)
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._reading = self._epoch, task
        return self._reading[1]

    async def _load(self) -> None:
        began, epoch = self._monotonic(), self._epoch
        stored = StoredKeys(await self._read.rows(queries.SIGNING_KEYS))
        keys = {row.kid: await self._loaded(row) for row in stored.all if row.revoked_at is None}
        now = self._clock.now()
        keys = {kid: key for kid, key in keys.items() if key.verifies(now)}
        # One that began later may have ended before.
        if began >= self._at_hand.began:
            if self._at_hand.keys.keys() - keys.keys():
                self.generation += 1
            signing = keys[stored.current.kid] if stored.current is not None else None
            starts_at = stored.next.activates_at if stored.next is not None else None
            self._at_hand = _AtHand(began, keys, signing, starts_at)
        if epoch == self._epoch:
            self._read_at = began

    async def _loaded(self, row: Any) -> LoadedKey:
        known = self._at_hand.keys.get(row.kid)
        if known is not None and known.can_sign == bool(row.is_current):
            # Its halves are those of its id, under whatever they are sealed by now.
            return replace(known, kept_until=row.kept_until, token_seconds=row.token_seconds)
        private = await private_key(row, self._ring) if row.is_current else None
        return LoadedKey(
            kid=row.kid,
            algorithm=row.algorithm,
            jwk=private or public_key(row),
            public=row.public_jwk,
            can_sign=private is not None,
            kept_until=row.kept_until,
            token_seconds=row.token_seconds,
        )
