"""Reading the state of the installation."""

from sqlalchemy import bindparam, select

from gatepost.accounts.models import Installation

__all__ = ["OPEN_SETUP"]

OPEN_SETUP = select(Installation.id).where(
    Installation.setup_digest == bindparam("digest"),
    Installation.setup_expires_at > bindparam("now"),
    Installation.setup_done_at.is_(None),
)
