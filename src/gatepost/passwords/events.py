"""What happens to passwords."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["PasswordChanged", "PasswordDropped"]


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Event):
    """A person's password was replaced; by whom says the event's actor."""

    type: ClassVar[str] = "password.changed"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class PasswordDropped(Event):
    """A person's password works no more, and there is no other: somebody else may have set it."""

    type: ClassVar[str] = "password.dropped"
    changes_caller: ClassVar[bool] = True
