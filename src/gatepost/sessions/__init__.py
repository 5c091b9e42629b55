"""Signed-in devices: one row for each sign-in, with the assurance it was made with.

Owns the table `sessions`. Promises that a session that was ended, or whose time is up, is never live
again, and that it says why. Only `login` starts one, and only for a person who is active in that very
statement.
"""

from gatepost.sessions.clean_up import past_sessions
from gatepost.sessions.devices import device, recorded_address
from gatepost.sessions.endings import Ended, over
from gatepost.sessions.errors import SessionNotFound
from gatepost.sessions.events import SessionEnded, SessionStarted
from gatepost.sessions.models import EndReason, Session
from gatepost.sessions.queries import ENDED, ENDING, LIVE
from gatepost.sessions.service import Assurance, Carriage, Sessions, StartedSession
from gatepost.sessions.settings import SessionOptions
from gatepost.sessions.sightings import SEEN_EVERY, Sightings

__all__ = [
    "ENDED",
    "ENDING",
    "LIVE",
    "SEEN_EVERY",
    "Assurance",
    "Carriage",
    "EndReason",
    "Ended",
    "Session",
    "SessionEnded",
    "SessionNotFound",
    "SessionOptions",
    "SessionStarted",
    "Sessions",
    "Sightings",
    "StartedSession",
    "device",
    "over",
    "past_sessions",
    "recorded_address",
]
