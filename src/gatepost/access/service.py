"""Granting roles and taking them away."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from gatepost.access import queries
from gatepost.access.events import RoleGranted, RoleRevoked
from gatepost.access.models import RoleAssignment
from gatepost.access.roles import ROLES
from gatepost.core.work import Work

__all__ = ["Access"]


class Access:
    """Who has which role."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def roles_of(self, user_id: UUID) -> list[str]:
        """Return the roles that a person has, sorted."""
        return [row.role for row in await self._work.read.rows(queries.ROLES_OF, {"user_id": user_id})]

    async def grant(self, user_id: UUID, role: str) -> bool:
        """Give a person a role; return whether it was new. The caller has locked the person's row."""
        if role not in ROLES:
            raise ValueError(f"no role {role!r}")
        assignment = RoleAssignment(user_id=user_id, role=role, granted_at=self._work.now)
        try:
            async with self._work.session.begin_nested():
                self._work.session.add(assignment)
        except IntegrityError:
            return False
        self._work.events.record(RoleGranted(subject=user_id, role=role))
        return True

    async def revoke(self, user_id: UUID, role: str) -> bool:
        """Take a role away; return whether the person had it."""
        statement = (
            delete(RoleAssignment)
            .where(RoleAssignment.user_id == user_id, RoleAssignment.role == role)
            .returning(RoleAssignment.role)
            .execution_options(synchronize_session=False)
        )
        if (await self._work.session.execute(statement)).first() is None:
            return False
        self._work.events.record(RoleRevoked(subject=user_id, role=role))
        return True
