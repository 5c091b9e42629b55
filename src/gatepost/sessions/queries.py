"""The statement that starts a session, and on what conditions; reading the live ones, and those that are over."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, insert, select
from sqlalchemy.orm import aliased

from gatepost.sessions.models import Session
from gatepost.users import User

__all__ = ["ENDED", "ENDING", "INSERT_FOR_ADMITTED", "LIVE", "LIVE_OF", "PERSON_LOCKED", "least_used"]

_COLUMNS = list(Session.__table__.columns)

_EARLIER = aliased(Session)
_FAMILIAR = (
    select(_EARLIER.id)
    .where(
        _EARLIER.user_id == bindparam("person"),
        _EARLIER.id != bindparam("id"),
        _EARLIER.user_agent.is_not_distinct_from(bindparam("user_agent")),
        _EARLIER.address.is_not_distinct_from(bindparam("address")),
    )
    .exists()
    .label("familiar")
)

# One statement checks, locks (where the database locks rows) and inserts: no moment lies between. The lock makes
# sign-ins of one person take turns, so that the number of their sessions can be bounded. It also says whether the
# person was here before, so that the usual sign-in, which nobody need be told of, costs no delivery.
INSERT_FOR_ADMITTED = (
    insert(Session.__table__)  # ty: ignore[invalid-argument-type]
    .from_select(
        [column.name for column in _COLUMNS],
        select(*[bindparam(column.name, type_=column.type) for column in _COLUMNS])
        .select_from(User)
        .where(User.id == bindparam("person"), User.is_active.is_(True), User.version == bindparam("seen"))
        .with_for_update(key_share=True, of=User),
    )
    .returning(_FAMILIAR)
)

# Taken before sessions of a person are ended together: a sign-in that is under way has the same lock, so that what it
# starts is seen. Without it the statement that ends them would not know of it.
PERSON_LOCKED = select(User.id).where(User.id == bindparam("person")).with_for_update(key_share=True)

LIVE = (
    Session.ended_at.is_(None),
    Session.expires_at > bindparam("now"),
    Session.created_at > bindparam("born_after"),
    Session.last_seen_at > bindparam("seen_after"),
)
"""What makes a session live; the parameters come from `SessionOptions.bounds`."""

LIVE_OF = (
    select(*_COLUMNS)
    .where(Session.user_id == bindparam("user_id"), *LIVE)
    .order_by(Session.last_seen_at.desc(), Session.id.desc())
)

ENDING = (
    Session.created_at,
    Session.last_seen_at,
    Session.expires_at,
    Session.ended_at,
    Session.end_reason,
    Session.end_event,
)
"""The columns that `over` asks for."""

ENDED = select(*ENDING).where(Session.id == bindparam("session_id"))


def least_used(user_id: UUID, most: int, keep: UUID) -> Select[*tuple[Any, ...]]:
    """Return the ids of a person's live sessions beyond so many beside `keep`, those that were used longest ago."""
    return (
        select(Session.id)
        .where(Session.user_id == user_id, Session.id != keep, *LIVE)
        .order_by(Session.last_seen_at.desc(), Session.id.desc())
        .offset(most - 1)
    )
