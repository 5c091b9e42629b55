"""What tests do."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["ClockMoved"]


@dataclass(frozen=True, kw_only=True)
class ClockMoved(Event):
    """A test moved the clock, which is `ahead_seconds` ahead now. What stands around it has times that never were."""

    type: ClassVar[str] = "clock.moved"
    ahead_seconds: float
