"""Which messages there are. A new one is an entry here, a template, and an entry in `occasions`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["LETTERS", "MUTABLE", "Letter"]

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Letter:
    """One kind of message. `lifetime`: after it, it is of no use and not sent, unless its event says otherwise.

    `needs` names the fields of `Particulars` without which it would say nothing. `mutable` ones a person or the
    operator may do without; those that somebody asked for, and those about credentials, nobody may. `by_anybody`:
    whoever knows an address can have it sent there.
    """

    kind: str
    lifetime: timedelta
    needs: frozenset[str] = frozenset()
    mutable: bool = False
    by_anybody: bool = False


def _asked_for(kind: str, lifetime: timedelta, *needs: str, by_anybody: bool = True) -> Letter:
    return Letter(kind, lifetime, frozenset(needs), by_anybody=by_anybody)


def _notice(kind: str, *needs: str, mutable: bool = False) -> Letter:
    return Letter(kind, _WEEK, frozenset(needs), mutable)


_ALL = (
    _asked_for("verify_email", _DAY, "link", "code"),
    _asked_for("already_registered", _DAY, "link"),
    _asked_for("reset_password", _HOUR, "link", "code"),
    _asked_for("change_email_confirm", _DAY, "link", "code"),
    _asked_for("sign_in_code", timedelta(minutes=15), "link", "code"),
    _asked_for("account_deletion_scheduled", _WEEK, "link", "until", by_anybody=False),
    _asked_for("factors_reset_scheduled", _WEEK, "link", "until", by_anybody=False),
    _asked_for("data_export_ready", _DAY, "link", by_anybody=False),
    _notice("password_changed"),
    _notice("email_changed"),
    _notice("new_device", mutable=True),
    _notice("sessions_ended_by_reuse", mutable=True),
    _notice("factor_added"),
    _notice("factor_removed"),
    _notice("factors_reset_by_admin"),
    _notice("factors_reset"),
    _notice("wrong_codes"),
    _notice("recovery_codes_used", "left"),
    _notice("account_deleted"),
)

LETTERS: Mapping[str, Letter] = {letter.kind: letter for letter in _ALL}
MUTABLE = frozenset(letter.kind for letter in _ALL if letter.mutable)
