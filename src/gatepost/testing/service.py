"""The parts of the room, as long as the process lives."""

from collections.abc import Callable

from gatepost.core.clock import ShiftedClock
from gatepost.core.database import Database
from gatepost.core.work import Work
from gatepost.testing.clock import ClockMoves, SharedClock
from gatepost.testing.inbox import Inbox

__all__ = ["Testing"]


class Testing:
    """The clock and the inbox of a service under test. `forget`: what is to be done after each move of the clock."""

    def __init__(self, clock: ShiftedClock, database: Database, forget: Callable[[], None]) -> None:
        self.clock = SharedClock(clock, database.reads, forget)
        self.inbox = Inbox(database, clock)

    def moves(self, work: Work) -> ClockMoves:
        """Return what moves the clock in a unit of work."""
        return ClockMoves(work, self.clock.shifted)
