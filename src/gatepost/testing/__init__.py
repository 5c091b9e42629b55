"""What other people's end-to-end tests need of a running service: a clock that they move, the mail it has sent.

Owns the offset of the clock and the inbox, in the database, so that all processes agree. Promises: the room is
part of the service in the test environment alone, where the settings offer it; after a move is answered every
process tells the new time. Whoever reaches it is asked for nothing. `gatepost` builds it, `app` serves it.
"""

from gatepost.testing.clock import ClockMoves, SharedClock
from gatepost.testing.errors import ClockSetBack, ClockTooFar
from gatepost.testing.events import ClockMoved
from gatepost.testing.following import FollowClock
from gatepost.testing.inbox import Inbox, Mail
from gatepost.testing.queries import traces
from gatepost.testing.service import Testing

__all__ = [
    "ClockMoved",
    "ClockMoves",
    "ClockSetBack",
    "ClockTooFar",
    "FollowClock",
    "Inbox",
    "Mail",
    "SharedClock",
    "Testing",
    "traces",
]
