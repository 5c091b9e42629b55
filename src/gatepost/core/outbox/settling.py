"""Writing down what became of deliveries: whatever has ended meanwhile, together."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, update

from gatepost.core.database import Database
from gatepost.core.events import Delivery
from gatepost.core.outbox.claims import IS_DUE, Claim

__all__ = ["Outcome", "Settling"]

_OURS = (Delivery.id == bindparam("of"), IS_DUE, Delivery.attempts == bindparam("held"))
_TABLE = Delivery.__table__

# Only while the lease is ours: a later claim counts its own attempt.
_SETTLE = (
    update(_TABLE)  # ty: ignore[invalid-argument-type]
    .where(*_OURS)
    .values(
        state=bindparam("to_state"),
        last_error=bindparam("why"),
        private=None,
        source=None,
        expires_at=None,
    )
)
_PUT_BACK = (
    update(_TABLE)  # ty: ignore[invalid-argument-type]
    .where(*_OURS)
    .values(
        state=bindparam("to_state"),
        last_error=bindparam("why"),
        due_at=bindparam("again_at"),
        attempts=bindparam("counted"),
    )
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claim. Without `again_at` it is settled for good, and what was private in it is erased."""

    claim: Claim
    state: str
    why: str | None = None
    again_at: datetime | None = None
    counted: bool = True


class Settling:
    """Writes outcomes as they come: while one transaction is under way, those that end wait for the next.

    What cannot be written is kept, and tried with the next; `written` says so.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: list[Outcome] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, outcome: Outcome) -> None:
        """Have it written soon."""
        self._pending.append(outcome)
        self._begin()

    async def not_behind(self, most: int) -> None:
        """Return when no more than so many wait to be written: they would be run again if this process died now."""
        while len(self._pending) > most and self._writing is not None:
            await asyncio.wait([self._writing])

    async def written(self) -> None:
        """Return when everything is written. Raises what prevents it: DatabaseUnavailable, TransactionConflict."""
        while self._pending or self._is_writing():
            await asyncio.shield(self._begin())

    def _is_writing(self) -> bool:
        # One that is done stands here until the loop comes round to `_ended`. To wait for it would not let the loop go
        # on, and so it would be waited for again, for ever.
        return self._writing is not None and not self._writing.done()

    def _begin(self) -> "asyncio.Task[None]":
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())
            self._writing.add_done_callback(self._ended)
        return self._writing

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._writing is task:
            self._writing = None
        if not task.cancelled():
            task.exception()  # who waits for it is told; nobody else need be

    async def _write(self) -> None:
        while self._pending:
            outcomes = self._pending[:]
            # In one order everywhere, so that two workers never wait for each other.
            rows = sorted(outcomes, key=lambda outcome: outcome.claim.id)
            settled = [_settled(each) for each in rows if each.again_at is None]
            put_back = [_put_back(each, each.again_at) for each in rows if each.again_at is not None]
            async with self._database.write() as transaction:
                if settled:
                    await transaction.execute(_SETTLE, settled)
                if put_back:
                    await transaction.execute(_PUT_BACK, put_back)
            del self._pending[: len(outcomes)]


def _settled(outcome: Outcome) -> dict[str, object]:
    claim = outcome.claim
    return {"of": claim.id, "held": claim.attempts, "to_state": outcome.state, "why": outcome.why}


def _put_back(outcome: Outcome, again_at: datetime) -> dict[str, object]:
    attempts = outcome.claim.attempts if outcome.counted else outcome.claim.attempts - 1
    return {**_settled(outcome), "again_at": again_at, "counted": attempts}
