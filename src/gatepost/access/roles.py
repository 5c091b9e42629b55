"""The roles there are, and what each grants."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

__all__ = ["ADMIN", "ROLES", "Permission", "permissions_of"]

ADMIN = "admin"


class Permission(StrEnum):
    """What can be permitted."""

    USERS_READ = "users:read"
    USERS_WRITE = "users:write"


ROLES: Mapping[str, frozenset[str]] = {ADMIN: frozenset({Permission.USERS_READ, Permission.USERS_WRITE})}


def permissions_of(roles: Iterable[str | None]) -> frozenset[str]:
    """Return what the roles grant together; an unknown role grants nothing."""
    granted: frozenset[str] = frozenset()
    for role in roles:
        granted |= ROLES.get(role or "", frozenset())
    return granted
