"""What happens on the journeys, and to the installation."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = [
    "AccountDeletionScheduled",
    "AccountKept",
    "EmailChangeAsked",
    "EmailVerificationAsked",
    "PasswordResetAsked",
    "SetupCompleted",
    "SignUpRepeated",
]


@dataclass(frozen=True, kw_only=True)
class AccountDeletionScheduled(Event):
    """A person wants their account deleted: it is closed, and erased after `until` unless they change their mind."""

    type: ClassVar[str] = "account.deletion_scheduled"
    until: str


@dataclass(frozen=True, kw_only=True)
class AccountKept(Event):
    """A person changed their mind, and their account is open again."""

    type: ClassVar[str] = "account.kept"


@dataclass(frozen=True, kw_only=True)
class EmailVerificationAsked(Event):
    """A person is asked by mail to show that their address is theirs."""

    type: ClassVar[str] = "email_verification.asked"


@dataclass(frozen=True, kw_only=True)
class EmailChangeAsked(Event):
    """A person wants another address, and is asked there by mail; no `subject` where somebody else has it."""

    type: ClassVar[str] = "email_change.asked"


@dataclass(frozen=True, kw_only=True)
class PasswordResetAsked(Event):
    """Somebody forgot a password; no `subject` where nobody who may sign in has the address that they gave."""

    type: ClassVar[str] = "password_reset.asked"


@dataclass(frozen=True, kw_only=True)
class SetupCompleted(Event):
    """The first administrator was created; `by` is `setup-code` or `command`."""

    type: ClassVar[str] = "setup.completed"
    by: str


@dataclass(frozen=True, kw_only=True)
class SignUpRepeated(Event):
    """Somebody signed up with an address that is known, and was not told so; no `subject` if its account is closed."""

    type: ClassVar[str] = "sign_up.repeated"
