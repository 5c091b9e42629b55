"""Reading whom we are about to let in, where they were let in before, and how far a sign-in has come."""

from sqlalchemy import bindparam, select

from gatepost.login.models import LoginFlow
from gatepost.sessions import Session
from gatepost.users import STANDING, User

__all__ = ["OPEN_FLOW", "OPEN_FLOW_HERE", "RECENT_ADDRESSES", "STANDING_NOW", "STANDING_OF"]

_MOST_ADDRESSES = 100

STANDING_OF = select(*STANDING).where(User.id == bindparam("user_id"))

# Locked until the unit commits: asked only after something changed, and then it must not change again.
STANDING_NOW = STANDING_OF.with_for_update(key_share=True)

# Asked only when strangers have used up the account's tries. The newest: somebody may have many.
RECENT_ADDRESSES = (
    select(Session.address)
    .join(User, User.id == Session.user_id)
    .where(
        User.email_canonical == bindparam("email_canonical"),
        Session.created_at > bindparam("since"),
        Session.address.is_not(None),
    )
    .order_by(Session.created_at.desc())
    .limit(_MOST_ADDRESSES)
)

OPEN_FLOW_HERE = select(
    LoginFlow.id,
    LoginFlow.carrier,
    LoginFlow.scope,
    LoginFlow.remember,
    LoginFlow.proofs,
    LoginFlow.steps,
    LoginFlow.expires_at,
).where(
    LoginFlow.binding_digest == bindparam("binding"),
    LoginFlow.finished_at.is_(None),
    LoginFlow.expires_at > bindparam("now"),
)
OPEN_FLOW = OPEN_FLOW_HERE.where(LoginFlow.id == bindparam("id"))
