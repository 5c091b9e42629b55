"""Who is calling: what every room may know of the caller, and nothing that can change under its hands."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from gatepost.core.errors import Forbidden, Unauthenticated

__all__ = [
    "ACR_LEVELS",
    "MULTI_FACTOR",
    "PHISHING_RESISTANT",
    "SINGLE_FACTOR",
    "Carrier",
    "ClientInfo",
    "PermissionMissing",
    "Principal",
    "ReauthenticationRequired",
    "reaches",
]

SINGLE_FACTOR = "urn:gatepost:acr:single-factor"
MULTI_FACTOR = "urn:gatepost:acr:multi-factor"
PHISHING_RESISTANT = "urn:gatepost:acr:phishing-resistant"
ACR_LEVELS = (SINGLE_FACTOR, MULTI_FACTOR, PHISHING_RESISTANT)
"""How sure a sign-in may be of the person (OpenID Connect Core, section 2, `acr`), from least to most."""

Carrier = Literal["bearer", "cookie"]
"""How a session's credential travels."""


def reaches(acr: str, wanted: str) -> bool:
    """Tell whether an assurance is at least the one that is wanted; an unknown one never is."""
    if acr not in ACR_LEVELS or wanted not in ACR_LEVELS:
        return False
    return ACR_LEVELS.index(acr) >= ACR_LEVELS.index(wanted)


class PermissionMissing(Forbidden):
    """The caller lacks the permission that the operation asks for."""

    code = "permission-missing"
    sentence = "This needs a permission that you do not have."


class ReauthenticationRequired(Unauthenticated):
    """The sign-in is too long ago, or not sure enough, for this operation (RFC 9470, section 3)."""

    code = "reauthentication-required"
    sentence = "Your sign-in is not enough for this. Sign in again."

    def __init__(self, *, max_age: timedelta | None = None, acr: str | None = None) -> None:
        asked: dict[str, Any] = {}
        if max_age is not None:
            asked["max_age"] = int(max_age.total_seconds())
        if acr is not None:
            asked["acr_values"] = acr
        super().__init__(**asked)
        named = {name: str(value) for name, value in asked.items()}
        self.challenge = {"error": "insufficient_user_authentication", **named}


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Where a request came from. `network` is what limits and queues count by: an IPv6 address by its prefix.

    `shared`: many clients may stand behind that address, a proxy's that no setting names. `accept_language`: the
    languages that a browser asks for, as it sent them.
    """

    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    network: str | None = None
    shared: bool = False
    accept_language: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `amr`, `acr` and `auth_time` (RFC 8176, OpenID Connect Core section 2) are those of the session's
    sign-in; `permissions` are what the caller's roles grant now, not when the token was made. `carrier` says how the
    session travels; `key_thumbprint` (RFC 7638) names the key that its tokens are bound to, if they are.
    """

    subject: UUID
    session_id: UUID
    client_id: str
    scope: frozenset[str]
    permissions: frozenset[str]
    amr: tuple[str, ...]
    acr: str
    auth_time: datetime
    carrier: Carrier = "bearer"
    key_thumbprint: str | None = None

    def may(self, permission: str) -> bool:
        """Tell whether the caller has the permission."""
        return permission in self.permissions

    def need(self, permission: str) -> None:
        """Raise PermissionMissing unless the caller has the permission."""
        if permission not in self.permissions:
            raise PermissionMissing(required=permission)

    def need_fresh(self, within: timedelta, now: datetime) -> None:
        """Raise ReauthenticationRequired if the sign-in is longer ago than that."""
        if now - self.auth_time > within:
            raise ReauthenticationRequired(max_age=within)

    def need_acr(self, wanted: str) -> None:
        """Raise ReauthenticationRequired unless the sign-in was at least so sure of the person."""
        if not reaches(self.acr, wanted):
            raise ReauthenticationRequired(acr=wanted)
