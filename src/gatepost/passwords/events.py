"""What happens to passwords."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["PasswordChanged"]


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Event):
    """A person's password was replaced; by whom says the event's actor."""

    type: ClassVar[str] = "password.changed"
    changes_caller: ClassVar[bool] = True
