"""What happens to a person's record."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = [
    "UserChanged",
    "UserDeleted",
    "UserDisabled",
    "UserEnabled",
    "UserLocked",
    "UserRegistered",
    "UserUnlocked",
]


@dataclass(frozen=True, kw_only=True)
class UserRegistered(Event):
    """An account came to be; `by` says how: `sign-up`, `setup`, `command`."""

    type: ClassVar[str] = "user.registered"
    by: str


@dataclass(frozen=True, kw_only=True)
class UserChanged(Event):
    """Fields of the profile changed; their names, never their values."""

    type: ClassVar[str] = "user.changed"
    changes_caller: ClassVar[bool] = True
    fields: list[str]


@dataclass(frozen=True, kw_only=True)
class UserDisabled(Event):
    """The account may no longer sign in."""

    type: ClassVar[str] = "user.disabled"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class UserEnabled(Event):
    """The account may sign in again."""

    type: ClassVar[str] = "user.enabled"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class UserLocked(Event):
    """Nobody signs in to the account before `until`; sessions that there are go on."""

    type: ClassVar[str] = "user.locked"
    changes_caller: ClassVar[bool] = True
    until: str


@dataclass(frozen=True, kw_only=True)
class UserUnlocked(Event):
    """The account may be signed in to again."""

    type: ClassVar[str] = "user.unlocked"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class UserDeleted(Event):
    """The account and everything personal in it is gone."""

    type: ClassVar[str] = "user.deleted"
    changes_caller: ClassVar[bool] = True
