"""The time, from one place that tests can replace."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "MovableClock", "ShiftedClock", "SystemClock"]


class Clock(Protocol):
    """Tells the time. Everything that compares or stores time gets one as an argument."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time it was last moved to."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Move forward, or backward with a negative duration."""
        self._now += by


class ShiftedClock:
    """Another clock, moved ahead by what `shift` says; it goes on running meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = timedelta(0)
        self.skipped = timedelta(0)
        """What was left out in all; only ever grows, also when the time is set back."""

    def now(self) -> datetime:
        """Return the moved time."""
        return self._clock.now() + self.ahead

    def unmoved(self) -> datetime:
        """Return what the other clock says."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return seconds that never go back, and take the moves along."""
        return time.monotonic() + self.skipped.total_seconds()

    def shift(self, ahead: timedelta, skipped: timedelta) -> None:
        """Be so far ahead from now on."""
        self.ahead, self.skipped = ahead, skipped
