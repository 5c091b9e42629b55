"""Reading the state of the installation, and whose time is up."""

from sqlalchemy import bindparam, select

from gatepost.accounts.models import Installation
from gatepost.users import User

__all__ = ["DUE_DELETION", "OPEN_SETUP"]

OPEN_SETUP = select(Installation.id).where(
    Installation.setup_digest == bindparam("digest"),
    Installation.setup_expires_at > bindparam("now"),
    Installation.setup_done_at.is_(None),
)

DUE_DELETION = (
    select(User.id).where(User.delete_after <= bindparam("now")).order_by(User.delete_after).limit(1)
)
