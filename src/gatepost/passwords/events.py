"""What happens to passwords."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatepost.core.events import Event

__all__ = ["PasswordChanged", "PasswordDropped", "PasswordSetter"]

PasswordSetter = Literal["owner", "reset", "administrator", "operator"]


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Event):
    """A person's password was replaced; `by` says by whom.

    `owner` (who gave the current one), `reset` (who read the mail), `administrator` (the event's actor), or `operator`
    (the command line, or the code of a host).
    """

    type: ClassVar[str] = "password.changed"
    changes_caller: ClassVar[bool] = True
    by: PasswordSetter


@dataclass(frozen=True, kw_only=True)
class PasswordDropped(Event):
    """A person's password works no more, and there is no other: somebody else may have set it."""

    type: ClassVar[str] = "password.dropped"
    changes_caller: ClassVar[bool] = True
