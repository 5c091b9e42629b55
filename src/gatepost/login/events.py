"""What happens at the door."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatepost.core.events import Event

__all__ = ["FailureReason", "LoginFailed"]

FailureReason = Literal[
    "unknown_account", "wrong_password", "disabled", "locked", "email_unverified", "changed", "step_missing"
]


@dataclass(frozen=True, kw_only=True)
class LoginFailed(Event):
    """Somebody was not let in; the reason is for operators, never for the caller."""

    type: ClassVar[str] = "login.failed"
    method: str
    reason: FailureReason
