"""The issuer's public keys: kept for as long as it says, fetched once for all who wait, kept on while it is away."""

import asyncio
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from gatepost.guard.clock import Clock
from gatepost.guard.discovery import Discovery, parsed
from gatepost.guard.errors import Unverifiable
from gatepost.guard.fetch import Fetch, Fetched, Unfetched
from gatepost.guard.jose import MALFORMED, Key, imported

__all__ = ["PAUSE", "Keys"]

_log = logging.getLogger("gatepost.guard")

# Between two requests, whoever asks for unknown keys. Key ids of garbage must not become requests of ours.
PAUSE = 2.0
# How long a request waits for newer keys when there are some that may be used.
_PATIENCE = 0.5
_AHEAD = 0.1
_USUAL_AGE, _LONGEST_AGE = 300.0, 86_400.0
_MOST_KEYS = 100
_LONGEST_KID = 200


class Keys:
    """The public keys of one issuer, by their ids. No other issuer's key is ever among them.

    `generation` changes when a key is gone, or stands for another: what it verified must not count any more.
    """

    def __init__(self, discovery: Discovery, fetch: Fetch, clock: Clock, stale_for: float) -> None:
        self._discovery = discovery
        self._fetch = fetch
        self._clock = clock
        self._stale_for = stale_for
        self._keys: dict[str, Key] = {}
        self._material: dict[str, Any] = {}
        self._listed: frozenset[str] = frozenset()
        self._max_age = 0.0
        self._tried_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._failed = False
        self.generation = 0
        self.fetched_at = -math.inf
        self.fresh_until = -math.inf
        """Until when (monotonic) the keys may be used without a question."""

    @property
    def kids(self) -> frozenset[str]:
        """The ids that the issuer lists, those of keys that we do not use too."""
        return self._listed

    async def usable(self) -> None:
        """Have keys that are fresh, or not too old while the issuer is away. Raises Unverifiable."""
        now = self._clock.monotonic()
        if now < self.fresh_until:
            return
        await self._ask(_PATIENCE if now < self._usable_until else None)
        if self._clock.monotonic() >= self._usable_until:
            raise Unverifiable("no keys of the issuer that are not too old")

    async def find(self, kid: str) -> Key | None:
        """Return the key of that id, None if the issuer has none. Raises Unverifiable."""
        await self.usable()
        if kid not in self._keys:
            await self._ask(None)
            if kid not in self._keys and self._failed:
                raise Unverifiable("the issuer cannot be asked about a key")
        return self._keys.get(kid)

    async def keep_fresh(self) -> None:
        """Fetch the keys if their time is nearly over, so that no request has to wait for it."""
        if self._clock.monotonic() >= self.fresh_until - _AHEAD * self._max_age:
            await self._ask(None)

    async def renew(self) -> None:
        """Fetch the keys again, unless that was done just now."""
        await self._ask(None)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    @property
    def _usable_until(self) -> float:
        return self.fresh_until + self._stale_for

    async def _ask(self, patience: float | None) -> None:
        """Wait for what is being fetched, which is begun if it is not too soon."""
        if self._fetching is None or self._fetching.done():
            if self._clock.monotonic() - self._tried_at < PAUSE:
                return
            self._tried_at = self._clock.monotonic()
            # A task of its own: it goes on for the others when the request that began it is cancelled.
            self._fetching = asyncio.create_task(self._fetch_keys())
        await asyncio.wait({self._fetching}, timeout=patience)

    async def _fetch_keys(self) -> None:
        # Until the opposite is seen: also when a `fetch` of the host's raises what it should not.
        failed_before, self._failed = self._failed, True
        try:
            places = await self._discovery.places()
            found = await self._fetch(places.keys)
            self._take(parsed(found.body))
        except Unfetched as error:
            if not failed_before:
                _log.warning("The keys of the issuer cannot be read: %s", error)
            return
        if failed_before:
            _log.warning("The keys of the issuer can be read again.")
        self._failed = False
        self._max_age = max_age(found)
        self.fetched_at = self._clock.monotonic()
        self.fresh_until = self.fetched_at + self._max_age

    def _take(self, said: Mapping[str, Any]) -> None:
        listed = said.get("keys")
        if type(listed) is not list:
            raise Unfetched("not a set of keys")
        keys: dict[str, Key] = {}
        material: dict[str, Any] = {}
        listed_ids: set[str] = set()
        for jwk in listed[:_MOST_KEYS]:
            kid = jwk.get("kid") if isinstance(jwk, dict) else None
            # Of two keys with one id, the first counts.
            if type(kid) is not str or len(kid) > _LONGEST_KID or kid in listed_ids:
                continue
            listed_ids.add(kid)
            try:
                key = imported(jwk)
            except MALFORMED:
                _log.warning("A key of the issuer cannot be used: %.100r", kid)
                continue
            if key is not None:
                keys[kid], material[kid] = key, jwk
        if any(material.get(kid) != jwk for kid, jwk in self._material.items()):
            self.generation += 1
        self._keys, self._material, self._listed = keys, material, frozenset(listed_ids)


def max_age(found: Fetched) -> float:
    """Return for how many seconds a document is fresh (RFC 9111, section 4.2)."""
    directives = found.headers.get("cache-control", "").lower()
    if "no-store" in directives or "no-cache" in directives:
        return PAUSE
    stated = re.search(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})", directives)
    if stated is None:
        return _USUAL_AGE
    age = found.headers.get("age", "0")
    passed = float(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0.0
    return min(max(float(stated[1]) - passed, PAUSE), _LONGEST_AGE)
