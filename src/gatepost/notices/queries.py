"""Reading whom a message goes to, what they do not want, and where something happened."""

from sqlalchemy import bindparam, select

from gatepost.core.events import EventRow
from gatepost.notices.models import NoticePreference
from gatepost.sessions import Session
from gatepost.users import User

__all__ = ["EARLIER", "MUTED", "RECIPIENT", "REQUEST", "SESSION"]

# The newest are enough: who signs in more often is known by these.
_MOST_EARLIER = 200

RECIPIENT = select(User.email, User.name, User.locale, User.created_at).where(User.id == bindparam("user_id"))

MUTED = (
    select(NoticePreference.kind)
    .where(NoticePreference.user_id == bindparam("user_id"))
    .order_by(NoticePreference.kind)
)

SESSION = select(Session.user_agent, Session.address).where(Session.id == bindparam("session_id"))

EARLIER = (
    select(Session.user_agent, Session.address)
    .where(
        Session.user_id == bindparam("user_id"),
        # The ids of sessions are made in the order of time.
        Session.id < bindparam("session_id"),
    )
    .order_by(Session.created_at.desc())
    .limit(_MOST_EARLIER)
)
"""The sign-ins of a person before one of them, the newest first."""

REQUEST = select(EventRow.user_agent, EventRow.address).where(EventRow.id == bindparam("event_id"))
"""What the request said of itself in which something happened."""
