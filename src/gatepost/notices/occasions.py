"""Which event is told in which letter. A new one is a line in `OCCASIONS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from gatepost.accounts import (
    AccountDeletionScheduled,
    EmailChangeAsked,
    EmailVerificationAsked,
    PasswordResetAsked,
    SignUpRepeated,
)
from gatepost.core.events import Event
from gatepost.login import SignInMailAsked
from gatepost.mfa import (
    FREE,
    FactorAdded,
    FactorRemoved,
    FactorResetAsked,
    FactorsReset,
    FactorsResetByAdministrator,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TotpRefused,
)
from gatepost.notices.letters import LETTERS
from gatepost.passkeys import PasskeyAdded, PasskeyRemoved
from gatepost.passwords import PasswordChanged
from gatepost.sessions import SessionStarted
from gatepost.tokens import RefreshTokenReused
from gatepost.users import UserChanged, UserDeleted

__all__ = ["BY_ANYBODY", "OCCASIONS", "Happening", "Occasion", "Scene"]

Scene = Literal["session", "request", "unsaid"]
"""Where the device and the network are looked up: those of the session or of the request that the event is about."""


class Happening(Protocol):
    """A recorded event as the outbox hands it over. `private` is sealed there, and erased once it is delivered."""

    @property
    def id(self) -> UUID: ...
    @property
    def delivery(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def subject(self) -> UUID | None: ...
    @property
    def actor(self) -> UUID | None: ...
    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def private(self) -> Mapping[str, Any]: ...
    @property
    def expires_at(self) -> datetime | None: ...


ToldIf = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""What an event must say, in its data and in what is private to it, to be told."""


def _always(_data: Mapping[str, Any], _private: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Occasion:
    """An event, the letter that tells of it, and when it does."""

    event: type[Event]
    letter: str
    scene: Scene = "unsaid"
    told_if: ToldIf = _always


def _old_address_is_known(data: Mapping[str, Any], private: Mapping[str, Any]) -> bool:
    # The notice is for whoever has the address of before.
    return "email" in data["fields"] and "to" in private


def _address_is_known(_data: Mapping[str, Any], private: Mapping[str, Any]) -> bool:
    # The person's record is gone by now.
    return "to" in private


def _is_unfamiliar(data: Mapping[str, Any], _private: Mapping[str, Any]) -> bool:
    return not data.get("familiar")


def _came_alone(data: Mapping[str, Any], _private: Mapping[str, Any]) -> bool:
    # Those that come with the first factor are in its notice.
    return not data["with_factor"]


def _are_many(data: Mapping[str, Any], _private: Mapping[str, Any]) -> bool:
    # Whoever enters codes knows the password. Not at each: somebody who guesses shall not fill the mailbox, too.
    return data["failures"] % FREE == 0


def _is_by_itself(data: Mapping[str, Any], _private: Mapping[str, Any]) -> bool:
    # That all factors were removed is told once, and not for each.
    return data["reason"] != "factors_reset"


_ALL = (
    Occasion(EmailVerificationAsked, "verify_email"),
    Occasion(SignUpRepeated, "already_registered"),
    Occasion(EmailChangeAsked, "change_email_confirm"),
    Occasion(AccountDeletionScheduled, "account_deletion_scheduled", scene="request"),
    Occasion(PasswordResetAsked, "reset_password"),
    Occasion(SignInMailAsked, "sign_in_code", scene="request"),
    Occasion(SessionStarted, "new_device", scene="session", told_if=_is_unfamiliar),
    Occasion(RefreshTokenReused, "sessions_ended_by_reuse", scene="session"),
    Occasion(PasswordChanged, "password_changed", scene="request"),
    Occasion(PasskeyAdded, "factor_added", scene="request"),
    Occasion(PasskeyRemoved, "factor_removed", scene="request", told_if=_is_by_itself),
    Occasion(UserChanged, "email_changed", scene="request", told_if=_old_address_is_known),
    Occasion(FactorAdded, "factor_added", scene="request"),
    Occasion(FactorRemoved, "factor_removed", scene="request"),
    Occasion(RecoveryCodesMade, "factor_added", scene="request", told_if=_came_alone),
    Occasion(RecoveryCodeUsed, "recovery_codes_used", scene="request"),
    Occasion(TotpRefused, "wrong_codes", scene="request", told_if=_are_many),
    Occasion(FactorResetAsked, "factors_reset_scheduled", scene="request"),
    Occasion(FactorsReset, "factors_reset"),
    Occasion(FactorsResetByAdministrator, "factors_reset_by_admin"),
    Occasion(UserDeleted, "account_deleted", told_if=_address_is_known),
)

OCCASIONS: Mapping[str, Occasion] = {occasion.event.type: occasion for occasion in _ALL}

BY_ANYBODY = frozenset(each.event.type for each in _ALL if LETTERS[each.letter].by_anybody)
"""The types of events whose letters anybody can have sent to any address."""
