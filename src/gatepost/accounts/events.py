"""What happens to the installation."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["SetupCompleted"]


@dataclass(frozen=True, kw_only=True)
class SetupCompleted(Event):
    """The first administrator was created; `by` is `setup-code` or `command`."""

    type: ClassVar[str] = "setup.completed"
    by: str
