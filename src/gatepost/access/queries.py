"""Reading roles."""

from sqlalchemy import bindparam, select

from gatepost.access.models import RoleAssignment

__all__ = ["ROLES_OF"]

ROLES_OF = (
    select(RoleAssignment.role)
    .where(RoleAssignment.user_id == bindparam("user_id"))
    .order_by(RoleAssignment.role)
)
