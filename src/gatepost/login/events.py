"""What happens at the door."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from gatepost.core.events import Event

__all__ = ["FailureReason", "LoginFailed", "SignInMailAsked"]

FailureReason = Literal[
    "unknown_account",
    "wrong_password",
    "wrong_proof",
    "disabled",
    "locked",
    "email_unverified",
    "changed",
    "step_missing",
]


@dataclass(frozen=True, kw_only=True)
class LoginFailed(Event):
    """Somebody was not let in; the reason is for operators, never for the caller."""

    type: ClassVar[str] = "login.failed"
    method: str
    reason: FailureReason


@dataclass(frozen=True, kw_only=True)
class SignInMailAsked(Event):
    """Somebody wants to sign in by mail; no `subject` where nobody who may has the address that they gave."""

    type: ClassVar[str] = "sign_in_mail.asked"
