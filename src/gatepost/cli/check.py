"""What `gatepost doctor` says about one thing."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Level"]

Level = Literal["ok", "warning", "danger"]


@dataclass(frozen=True)
class Check:
    """One thing looked at: how it is, in a sentence, and what mends it."""

    name: str
    level: Level
    says: str
    mend: str | None = None
