"""The clock of all processes: moved in the database, followed by each."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError

from gatepost.core.clock import ShiftedClock
from gatepost.core.database import DatabaseUnavailable, Reader
from gatepost.core.work import Work
from gatepost.testing import queries
from gatepost.testing.errors import ClockSetBack, ClockTooFar
from gatepost.testing.events import ClockMoved
from gatepost.testing.models import ClockRow
from gatepost.testing.schemas import MoveClock

__all__ = ["ClockMoves", "SharedClock"]

FURTHEST = timedelta(days=36_525)
# What the limits remember is shorter: after a reset nobody waits for what happened in the future.
_PASSES_AT_RESET = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)

_AHEAD, _SKIPPED = ClockRow.ahead_microseconds, ClockRow.skipped_microseconds
_MOVE = (
    update(ClockRow)
    .values(moves=ClockRow.moves + 1)
    .returning(_AHEAD)
    .execution_options(synchronize_session=False)
)
_BY, _TO = bindparam("by"), bindparam("to")
_ADVANCE = _MOVE.where(_AHEAD + _BY <= FURTHEST // _MICROSECOND).values(
    {_AHEAD: _AHEAD + _BY, _SKIPPED: _SKIPPED + _BY}
)
_SET = _MOVE.where(_AHEAD <= _TO).values({_AHEAD: _TO, _SKIPPED: _SKIPPED + _TO - _AHEAD})
_RESET = _MOVE.values({_AHEAD: 0, _SKIPPED: _SKIPPED + _PASSES_AT_RESET // _MICROSECOND})


class SharedClock:
    """Keeps the clock of this process where the database says it is. `forget` is called after each move."""

    def __init__(self, clock: ShiftedClock, read: Reader, forget: Callable[[], None]) -> None:
        self.shifted = clock
        self._read = read
        self._forget = forget
        self._moves = 0

    async def follow(self) -> None:
        """Tell the time of the last move from now on. Goes on as before while the database is away."""
        try:
            row = await self._read.first(queries.CLOCK)
        except DatabaseUnavailable:
            return
        # A read that was slow must not undo what a later one has found.
        if row is not None and row.moves > self._moves:
            self._moves = row.moves
            ahead, skipped = row.ahead_microseconds * _MICROSECOND, row.skipped_microseconds * _MICROSECOND
            self.shifted.shift(ahead, skipped)
            self._forget()


class ClockMoves:
    """Moves of the clock, in a unit of work. Of two at once each counts, in turn."""

    def __init__(self, work: Work, clock: ShiftedClock) -> None:
        self._work = work
        self._clock = clock

    async def move(self, wanted: MoveClock) -> None:
        """Move the clock for all processes. Raises ClockSetBack, ClockTooFar."""
        await self._have_a_row()
        if wanted.advance is not None:
            await self._move(_ADVANCE, {"by": wanted.advance // _MICROSECOND}, ClockTooFar)
        elif wanted.at is not None:
            ahead = wanted.at - self._clock.unmoved()
            if ahead > FURTHEST:
                raise ClockTooFar
            await self._move(_SET, {"to": ahead // _MICROSECOND}, ClockSetBack)
        else:
            await self._move(_RESET, {}, ClockTooFar)

    async def _have_a_row(self) -> None:
        row = ClockRow(id=1, moves=0, ahead_microseconds=0, skipped_microseconds=0)
        try:
            async with self._work.session.begin_nested():
                self._work.session.add(row)
        except IntegrityError:
            # There is one from an earlier move; the update waits for whoever moves it now.
            return

    async def _move(
        self, statement: Any, values: dict[str, int], refusal: type[ClockSetBack | ClockTooFar]
    ) -> None:
        moved = (await self._work.session.execute(statement, values)).first()
        if moved is None:
            raise refusal
        ahead = moved.ahead_microseconds * _MICROSECOND
        self._work.events.record(ClockMoved(subject=None, ahead_seconds=ahead.total_seconds()))
