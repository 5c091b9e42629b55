"""What happens to roles."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["RoleGranted", "RoleRevoked"]


@dataclass(frozen=True, kw_only=True)
class RoleGranted(Event):
    """A person got a role."""

    type: ClassVar[str] = "role.granted"
    changes_caller: ClassVar[bool] = True
    role: str


@dataclass(frozen=True, kw_only=True)
class RoleRevoked(Event):
    """A person lost a role."""

    type: ClassVar[str] = "role.revoked"
    changes_caller: ClassVar[bool] = True
    role: str
