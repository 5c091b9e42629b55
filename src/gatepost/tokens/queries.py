"""Reading what stands behind a token, and the keys."""

from sqlalchemy import Integer, bindparam, select, tuple_

from gatepost.access import RoleAssignment
from gatepost.core.events import EventRow
from gatepost.sessions import LIVE, Session, SessionEnded
from gatepost.tokens.models import RefreshFamily, SigningKey
from gatepost.users import PROFILE, User

__all__ = ["CALLER", "ENDED_SESSIONS", "FAMILY", "SIGNING_KEYS", "SIGNING_KEYS_LOCKED", "STILL"]

_ALL_KEYS = select(SigningKey).with_only_columns(*SigningKey.__table__.c)
SIGNING_KEYS = _ALL_KEYS.order_by(SigningKey.created_at, SigningKey.kid)
# In one order for all, so that two who change the keys wait for each other, not each for the other.
SIGNING_KEYS_LOCKED = _ALL_KEYS.order_by(SigningKey.kid).with_for_update()

# One statement for every authenticated request: the live session, its active person, and their roles.
CALLER = (
    select(
        *PROFILE,
        Session.id.label("session_id"),
        Session.client_id,
        Session.amr,
        Session.acr,
        Session.auth_time,
        Session.expires_at,
        Session.created_at.label("session_created_at"),
        Session.last_seen_at,
        Session.cookie_digest,
        Session.key_thumbprint,
        Session.remember,
        RoleAssignment.role,
    )
    .join(User, User.id == Session.user_id)
    .outerjoin(RoleAssignment, RoleAssignment.user_id == User.id)
    .where(
        Session.id == bindparam("session_id"),
        Session.user_id == bindparam("user_id"),
        *LIVE,
        User.is_active.is_(True),
    )
)

# The same, asked inside a transaction: nobody ends the session or changes the person before it commits.
STILL = CALLER.with_for_update(read=True, of=(User, Session))

# Read after the rotation that did not happen: what is committed by then, and this transaction's own.
FAMILY = select(
    RefreshFamily.session_id,
    RefreshFamily.user_id,
    RefreshFamily.client_id,
    RefreshFamily.scope,
    RefreshFamily.expires_at,
    RefreshFamily.key_thumbprint,
    RefreshFamily.generation,
    RefreshFamily.rotated_at,
    RefreshFamily.rotated_before_at,
    RefreshFamily.successor_sealed,
).where(RefreshFamily.session_id == bindparam("session_id"))

_AT = bindparam("at", type_=EventRow.at.type)

# From the log of events: of a person who was deleted, the rows of the sessions are gone. The time bounds the index;
# the pair tells where to go on among the many that ended in one moment.
ENDED_SESSIONS = (
    select(EventRow.at, EventRow.id, EventRow.data)
    .where(
        EventRow.type == SessionEnded.type,
        EventRow.at >= _AT,
        tuple_(EventRow.at, EventRow.id) > tuple_(_AT, bindparam("id", type_=EventRow.id.type)),
    )
    .order_by(EventRow.at, EventRow.id)
    .limit(bindparam("limit", type_=Integer))
)
