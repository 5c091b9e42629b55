"""Who may do what: roles, and the permissions they grant.

Owns the table `role_assignments`. Promises that a permission is held only through a role that is assigned
now. Permissions are strings `resource:action`; guarding a route needs only the string.
"""

from gatepost.access.events import RoleGranted, RoleRevoked
from gatepost.access.models import RoleAssignment
from gatepost.access.roles import ADMIN, ROLES, Permission, permissions_of
from gatepost.access.service import Access

__all__ = [
    "ADMIN",
    "ROLES",
    "Access",
    "Permission",
    "RoleAssignment",
    "RoleGranted",
    "RoleRevoked",
    "permissions_of",
]
