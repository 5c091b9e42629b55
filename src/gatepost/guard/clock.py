"""The time, from one place that tests can replace."""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time, in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch: what tokens speak of."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back: what waiting is measured by."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
