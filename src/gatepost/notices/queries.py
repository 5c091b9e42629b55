"""Reading whom a message goes to, what they do not want, and where something happened."""

from sqlalchemy import bindparam, select

from gatepost.core.events import EventRow
from gatepost.notices.models import NoticePreference
from gatepost.sessions import Session
from gatepost.users import User

__all__ = ["EARLIER", "MUTED", "RECIPIENT", "REQUEST", "SESSION"]

# Nobody has more browsers and addresses than that, unless it is a program.
_MOST_EARLIER = 1000

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
    .distinct()
    # No order: sorted by id, a database would walk through everybody's.
    .limit(_MOST_EARLIER)
)
"""What a person had signed in with, and from where, before one sign-in."""

REQUEST = select(EventRow.user_agent, EventRow.address).where(EventRow.id == bindparam("event_id"))
"""What the request said of itself in which something happened."""
