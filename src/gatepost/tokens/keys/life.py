"""The life of a signing key: made, published, signing, retired, removed; or revoked."""

from datetime import datetime, timedelta
from typing import Any

from gatepost.core.errors import TransactionConflict
from gatepost.core.schedule import Job
from gatepost.core.secrets import KeyRing
from gatepost.core.work import Run, Work
from gatepost.tokens import queries
from gatepost.tokens.errors import SigningKeyUnknown
from gatepost.tokens.keys.changes import FARTHEST_END, KeyChanges
from gatepost.tokens.keys.pairs import can_open, new_pair
from gatepost.tokens.keys.stored import KeyInfo, StoredKeys
from gatepost.tokens.settings import LONGEST_LEAD, TokenOptions

__all__ = ["SigningKeys", "keys_tended"]

_EVERY = timedelta(minutes=1)
_DIFFERENCE_OF_CLOCKS = timedelta(minutes=1)


class SigningKeys:
    """Decides what becomes of the keys. Each method is a whole unit of work, to be run by `Gatepost.run`.

    It looks first, makes a pair if one is wanted, and only then locks the rows and looks again: of two processes
    that do the same at once the second finds it done.
    """

    def __init__(self, work: Work, ring: KeyRing, options: TokenOptions) -> None:
        self._work = work
        self._ring = ring
        self._options = options
        self._changes = KeyChanges(work, ring, options)

    async def listed(self) -> list[KeyInfo]:
        """Return every key, the oldest first."""
        return [KeyInfo.of(row, self._ring) for row in (await self._seen()).all]

    async def make_first(self) -> KeyInfo:
        """Return the key that signs; make it if there is none."""
        current = (await self._seen()).current
        if current is not None:
            return KeyInfo.of(current, self._ring)
        pair = await new_pair(self._options.algorithm)
        await self._changes.add_current(pair, replaces=None)
        return await self._info(pair.kid)

    async def allow_our_lifetime(self, kid: str) -> None:
        """Have the key verify, when it is retired, for as long as the tokens live that we sign with it."""
        await self._changes.allow_our_lifetime(kid)

    # ── on schedule ──────────────────────────────────────────────────────────────────────────────

    async def tend(self) -> int:
        """Do what is due: let the next key sign, prepare one, remove what is over. Return how many changes it was."""
        seen = await self._seen()
        wants_another = self._wants_another(seen)
        if not (wants_another or self._may_switch(seen) or self._strays(seen) or seen.over(self._work.now)):
            return 0
        pair = await new_pair(self._options.algorithm) if wants_another else None
        keys = await self._changes.lock()
        done = await self._put_right(keys)
        for row in keys.over(self._work.now):
            await self._changes.remove(row)
            done += 1
        if self._may_switch(keys):
            await self._changes.retire(keys.current)
            await self._changes.promote(keys.next, replaces=keys.current.kid)
            done += 1
        elif pair is not None and self._wants_another(keys):
            await self._changes.add_next(pair)
            done += 1
        return done

    def _may_switch(self, keys: StoredKeys) -> bool:
        # A process that cannot open the next key leaves the switch to one that can.
        return (
            keys.current is not None
            and keys.next is not None
            and keys.next.activates_at <= self._work.now
            and can_open(keys.next, self._ring)
        )

    def _wants_another(self, keys: StoredKeys) -> bool:
        current = keys.current
        if current is None or keys.next is not None:
            return False
        began, now = current.activated_at or current.created_at, self._work.now
        due = began + self._options.key_lifetime - self._options.key_lead <= now
        # A time that lies ahead comes from a wrong clock, and says nothing.
        return due or current.algorithm != self._options.algorithm or began > now + _DIFFERENCE_OF_CLOCKS

    def _strays(self, keys: StoredKeys) -> list[Any]:
        """Return the keys whose times say nothing: set by a wrong clock, or not by the version before."""
        farthest = self._work.now + FARTHEST_END + _DIFFERENCE_OF_CLOCKS
        strays = [row for row in keys.retired if row.kept_until is None or row.kept_until > farthest]
        latest = self._work.now + LONGEST_LEAD + _DIFFERENCE_OF_CLOCKS
        return [*strays, keys.next] if keys.next and keys.next.activates_at > latest else strays

    async def _put_right(self, keys: StoredKeys) -> int:
        strays = self._strays(keys)
        for row in strays:
            await (self._changes.restart(row) if row.is_next else self._changes.end(row))
        return len(strays)

    # ── by an operator ───────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> tuple[KeyInfo, bool]:
        """Publish the next key, which signs once all have seen it; return it, and whether it is new.

        Where no key signs it does so at once.
        """
        seen = await self._seen()
        if seen.current is None:
            return await self.make_first(), True
        if (ready := self._ready(seen)) is not None:
            return KeyInfo.of(ready, self._ring), False
        pair = await new_pair(self._options.algorithm)
        keys = await self._changes.lock()
        if (ready := self._ready(keys)) is not None:
            return KeyInfo.of(ready, self._ring), False
        await self._drop_next(keys)
        await self._changes.add_next(pair)
        return await self._info(pair.kid), True

    async def switch(self) -> tuple[KeyInfo, datetime | None]:
        """Let the next key sign from now on, or a new one; return it, and when all have seen it, unless they have."""
        seen = await self._seen()
        if seen.current is None:
            return await self.make_first(), None
        ready = self._ready(seen)
        pair = await new_pair(self._options.algorithm) if ready is None else None
        keys = await self._changes.lock()
        if keys.current is None:
            raise TransactionConflict("no key signs any more")
        await self._changes.retire(keys.current)
        if pair is None:
            await self._changes.promote(ready, replaces=keys.current.kid)
            early = ready.activates_at > self._work.now
            return await self._info(ready.kid), ready.activates_at if early else None
        await self._drop_next(keys)
        await self._changes.add_current(pair, replaces=keys.current.kid)
        return await self._info(pair.kid), self._work.now + self._options.key_lead

    async def revoke(self, kid: str) -> tuple[KeyInfo, bool]:
        """Refuse all that a key has signed, in an emergency; return it, and whether it was not revoked before.

        If it signs, a new one signs at once. The next one is revoked with it: it lay beside it, in the same table,
        under the same seal. Raises SigningKeyUnknown.
        """
        seen = (await self._seen()).by_kid.get(kid)
        pair = await new_pair(self._options.algorithm) if seen is not None and seen.is_current else None
        keys = await self._changes.lock()
        row = keys.by_kid.get(kid)
        if row is None:
            raise SigningKeyUnknown
        if row.revoked_at is not None:
            return KeyInfo.of(row, self._ring), False
        await self._changes.revoke(row)
        if row.is_current:
            if pair is None:
                raise TransactionConflict("it signs by now")
            if keys.next is not None:
                await self._changes.revoke(keys.next)
            await self._changes.add_current(pair, replaces=kid)
        return await self._info(kid), True

    def _ready(self, keys: StoredKeys) -> Any:
        """Return the next key if it is one that we would make, and can sign with."""
        usable = (
            keys.next is not None
            and keys.next.algorithm == self._options.algorithm
            and can_open(keys.next, self._ring)
        )
        return keys.next if usable else None

    async def _drop_next(self, keys: StoredKeys) -> None:
        if keys.next is not None:
            await self._changes.remove(keys.next)

    async def _seen(self) -> StoredKeys:
        return StoredKeys(await self._work.read.rows(queries.SIGNING_KEYS))

    async def _info(self, kid: str) -> KeyInfo:
        return KeyInfo.of((await self._changes.lock()).by_kid[kid], self._ring)


def keys_tended(run: Run, ring: KeyRing, options: TokenOptions) -> Job:
    """Return the job that rotates the keys. It works in units of its own: what they record is told when they end."""

    async def tend(_transaction: object, _now: object) -> int:
        return await run(lambda work: SigningKeys(work, ring, options).tend())

    return Job("signing-keys.rotated", tend, every=_EVERY, effect="changed")
