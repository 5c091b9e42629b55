"""For other services: tells whose access token a request bears, without asking the user service for each one.

Imports nothing of Gatepost's, no framework and no database. Promises that a token it lets in was signed for this
service by a key that its issuer publishes, is bound to no key that was not shown, and, by the list of ended
sessions, belongs to none that ended more than a few seconds ago. `gatepost.guard.fastapi` is the FastAPI side.
"""

from gatepost.guard.caller import Caller, Needs
from gatepost.guard.clock import Clock, SystemClock
from gatepost.guard.dpop import Proof, checked
from gatepost.guard.errors import (
    AudienceWrong,
    ProofInvalid,
    ProofRequired,
    Refused,
    ScopeMissing,
    SessionRevoked,
    StepUpRequired,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    Unverifiable,
)
from gatepost.guard.fetch import Fetch, Fetched, Unfetched
from gatepost.guard.guard import Guard, Standing
from gatepost.guard.settings import GuardOptions

__all__ = [
    "AudienceWrong",
    "Caller",
    "Clock",
    "Fetch",
    "Fetched",
    "Guard",
    "GuardOptions",
    "Needs",
    "Proof",
    "ProofInvalid",
    "ProofRequired",
    "Refused",
    "ScopeMissing",
    "SessionRevoked",
    "Standing",
    "StepUpRequired",
    "SystemClock",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "Unfetched",
    "Unverifiable",
    "checked",
]
