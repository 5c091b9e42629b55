"""Reading all that belongs to a person. A new table with personal data is a `Part` here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, or_, select

from gatepost.access import RoleAssignment
from gatepost.core.events import EventRow
from gatepost.core.idempotency import IdempotencyKey
from gatepost.core.models import Base
from gatepost.login import LoginFlow
from gatepost.notices import NoticePreference
from gatepost.passwords import Password
from gatepost.proofs import MailProof
from gatepost.sessions import Session
from gatepost.tokens import RefreshFamily
from gatepost.users import User

__all__ = ["ACCOUNT", "PARTS", "Part"]

_ME = bindparam("user_id")


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of rows. `withheld` columns are secrets, or their digests: of no use but to a thief.

    `instead` are expressions that stand for a column, where not all of it is about the person.
    """

    name: str
    model: type[Base]
    belongs: ColumnElement[bool]
    withheld: frozenset[str] = frozenset()
    instead: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)

    @property
    def query(self) -> Select[*tuple[Any, ...]]:
        """The person's rows, by primary key: ids are made in the order of time."""
        table = self.model.__table__
        shown = [
            self.instead.get(column.name, column).label(column.name)
            for column in table.columns
            if column.name not in self.withheld
        ]
        return select(*shown).where(self.belongs).order_by(*table.primary_key)


_SESSIONS = select(Session.id).where(Session.user_id == _ME)
# Where somebody else did it, the address is theirs.
_BY_NOBODY_ELSE = or_(EventRow.actor.is_(None), EventRow.actor == EventRow.subject)

ACCOUNT = Part("account", User, User.id == _ME)

PARTS = (
    ACCOUNT,
    Part("roles", RoleAssignment, RoleAssignment.user_id == _ME),
    Part("password", Password, Password.user_id == _ME, frozenset({"hash"})),
    Part("sessions", Session, Session.user_id == _ME, frozenset({"cookie_digest"})),
    Part(
        "refresh_tokens",
        RefreshFamily,
        RefreshFamily.session_id.in_(_SESSIONS),
        frozenset({"digest", "successor_sealed"}),
    ),
    Part("sign_ins_under_way", LoginFlow, LoginFlow.user_id == _ME, frozenset({"binding_digest"})),
    Part(
        "links_by_mail",
        MailProof,
        MailProof.user_id == _ME,
        frozenset({"link_digest", "code_digest", "binding_digest"}),
    ),
    Part("notices_turned_off", NoticePreference, NoticePreference.user_id == _ME),
    Part(
        "kept_answers",
        IdempotencyKey,
        IdempotencyKey.subject == _ME,
        # A copy of the account under the client's own key, for as long as a retry may come.
        frozenset({"digest", "asked", "holder", "answer"}),
    ),
    Part(
        "events",
        EventRow,
        EventRow.subject == _ME,
        instead={
            "address": case((_BY_NOBODY_ELSE, EventRow.address)),
            "user_agent": case((_BY_NOBODY_ELSE, EventRow.user_agent)),
        },
    ),
)
