"""What happens to sessions."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from gatepost.core.events import Event

__all__ = ["SessionEnded", "SessionStarted"]


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    """A person signed in."""

    type: ClassVar[str] = "session.started"
    session_id: UUID
    amr: list[str]
    acr: str
    carrier: str
    familiar: bool
    """Whether the person signed in before with the same browser, from the same address."""


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """A sign-in came to its end."""

    type: ClassVar[str] = "session.ended"
    changes_caller: ClassVar[bool] = True
    session_id: UUID
    reason: str
