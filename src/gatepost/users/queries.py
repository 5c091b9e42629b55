"""Reading people."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select, tuple_

from gatepost.users.models import User
from gatepost.users.schemas import UserFilter

__all__ = ["BY_EMAIL", "BY_ID", "PROFILE", "page", "page_position"]

PROFILE = (
    User.id,
    User.email,
    User.email_verified_at.is_not(None).label("email_verified"),
    User.name,
    User.locale,
    User.is_active,
    User.locked_until,
    User.created_at,
    User.updated_at,
    User.version,
)

BY_ID = select(*PROFILE).where(User.id == bindparam("user_id"))
BY_EMAIL = select(*PROFILE).where(User.email_canonical == bindparam("email_canonical"))

# The greatest code point: a prefix's range ends before the prefix with this appended.
_LAST = "\U0010ffff"


def page(
    wanted: UserFilter, email_canonical: str | None, prefix: str | None, after: list[str] | None
) -> Select[*tuple[Any, ...]]:
    """Return one page and one row more: by address when searching, otherwise the newest first."""
    query: Select[*tuple[Any, ...]] = select(*PROFILE, User.email_canonical)
    if email_canonical is not None:
        query = query.where(User.email_canonical == email_canonical)
    if wanted.is_active is not None:
        query = query.where(User.is_active == wanted.is_active)
    if wanted.created_after is not None:
        query = query.where(User.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        query = query.where(User.created_at < wanted.created_before)
    if prefix is not None:
        query = query.where(User.email_canonical >= prefix, User.email_canonical < prefix + _LAST)
        if after is not None:
            query = query.where(User.email_canonical > after[0])
        query = query.order_by(User.email_canonical)
    else:
        if after is not None:
            place = (datetime.fromisoformat(after[0]), UUID(after[1]))
            query = query.where(tuple_(User.created_at, User.id) < place)
        query = query.order_by(User.created_at.desc(), User.id.desc())
    return query.limit(wanted.limit + 1)


def page_position(row: Any, *, searching: bool) -> list[str]:
    """Return where a page ended, to go on from there."""
    return [row.email_canonical] if searching else [row.created_at.isoformat(), str(row.id)]
