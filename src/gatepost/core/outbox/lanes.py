"""How the deliveries of a lane are run: how many at once, how long, how often again."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gatepost.core.events import Lane
from gatepost.core.outbox.claims import Claim

__all__ = ["Gate", "LanePolicy", "delay_after"]

MOST_ATTEMPTS = 12
_FIRST_DELAY = 2.0
_LONGEST_DELAY = 3600.0
# What is left of a lease after the longest run, to wait for a turn and to write down what became of it.
_SPARE = timedelta(seconds=40)


class Gate(Protocol):
    """Decides how many deliveries pass."""

    async def admits(self, claim: Claim) -> bool:
        """Tell whether this may be run at all. Asked once for each delivery."""
        ...

    async def turn(self) -> None:
        """Return when the next may be run."""
        ...


class OpenGate:
    """Lets everything pass."""

    async def admits(self, claim: Claim) -> bool:  # noqa: ARG002
        """Admit it."""
        return True

    async def turn(self) -> None:
        """Return at once."""


@dataclass(frozen=True, kw_only=True)
class LanePolicy:
    """One lane: `places` run at once, each for at most `longest_run` seconds, and are given up after `most_attempts`.

    `batch` are claimed together. With the pauses of `delay_after` 12 attempts take two hours, and each more an hour.
    """

    name: Lane
    places: int = 1
    batch: int = 20
    longest_run: float = 20.0
    most_attempts: int = MOST_ATTEMPTS
    gate: Gate = field(default_factory=OpenGate)

    @property
    def lease(self) -> timedelta:
        """How long nobody else gets what was claimed."""
        return timedelta(seconds=self.longest_run) + _SPARE


def delay_after(attempts: int) -> float:
    """Return the pause before the next attempt, in seconds: doubling, jittered, at most an hour."""
    longest = min(_FIRST_DELAY * 2 ** (min(attempts, 40) - 1), _LONGEST_DELAY)
    return random.uniform(longest / 2, longest)  # noqa: S311  jitter, not a secret
