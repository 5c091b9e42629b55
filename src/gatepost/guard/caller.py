"""Who is calling, as a verified token says, and what a route may ask of them."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gatepost.guard.errors import AudienceWrong, TokenExpired, TokenInvalid

__all__ = ["Caller", "Needs", "caller_of"]

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_REQUIRED = ("sub", "client_id", "jti")
_OPTIONAL = ("sid", "acr")
# Of a time in seconds: beyond it lies the year 33658.
_LATEST = 10**12


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified token (RFC 9068). Times are seconds since the epoch; `claims` has all that the token says."""

    subject: str
    client_id: str
    session_id: str | None
    token_id: str
    scope: frozenset[str]
    issued_at: int
    expires_at: int
    auth_time: int | None
    acr: str | None
    amr: tuple[str, ...]
    key_thumbprint: str | None
    """The key that the token is bound to (`cnf.jkt`); None: whoever holds the token may use it."""
    claims: Mapping[str, Any] = field(repr=False)

    def may(self, scope: str) -> bool:
        """Tell whether the token has this scope."""
        return scope in self.scope


@dataclass(frozen=True, slots=True)
class Needs:
    """What a route asks of its callers: scopes, an authentication not older than `max_age` seconds, one of `acr`."""

    scopes: frozenset[str] = frozenset()
    max_age: float | None = None
    acr: tuple[str, ...] = ()

    @classmethod
    def of(cls, *scopes: str, max_age: float | None = None, acr: Collection[str] = ()) -> "Needs":
        """Return what is needed. Raises ValueError for what could not stand in a challenge."""
        if any(_SCOPE.fullmatch(each) is None for each in (*scopes, *acr)):
            raise ValueError(
                "a scope and an acr are words of printable ASCII, without quotes and backslashes"
            )
        if max_age is not None and not (math.isfinite(max_age) and max_age >= 0):
            raise ValueError("max_age is a number of seconds")
        return cls(frozenset(scopes), max_age, tuple(acr))

    @property
    def challenge(self) -> dict[str, str]:
        """What a challenge says of the authentication that is needed (RFC 9470, section 3)."""
        said = {"acr_values": " ".join(self.acr)} if self.acr else {}
        return said if self.max_age is None else {**said, "max_age": str(int(self.max_age))}


def caller_of(claims: dict[str, Any], *, issuer: str, audience: str, now: float, leeway: float) -> Caller:
    """Return whom the claims of a verified token speak for. Raises TokenInvalid, TokenExpired, AudienceWrong."""
    if claims.get("iss") != issuer:
        raise TokenInvalid("iss")
    _need_audience(claims.get("aud"), audience)
    issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
    if issued_at is None or expires_at is None:
        raise TokenInvalid("iat or exp is missing")
    if expires_at + leeway <= now:
        raise TokenExpired
    if issued_at - leeway > now or (_time(claims, "nbf") or 0) - leeway > now:
        raise TokenInvalid("not valid yet")
    words = {name: _word(claims, name) for name in (*_REQUIRED, *_OPTIONAL)}
    if any(words[name] is None for name in _REQUIRED):
        raise TokenInvalid("a claim is missing")
    return Caller(
        subject=words["sub"] or "",
        client_id=words["client_id"] or "",
        session_id=words["sid"],
        token_id=words["jti"] or "",
        scope=frozenset((_word(claims, "scope", empty=True) or "").split()),
        issued_at=issued_at,
        expires_at=expires_at,
        auth_time=_time(claims, "auth_time"),
        acr=words["acr"],
        amr=_words(claims.get("amr", [])),
        key_thumbprint=_thumbprint(claims),
        claims=_frozen(claims),
    )


def _need_audience(given: Any, ours: str) -> None:
    """Raise unless we are the audience, or one of several (RFC 9068, section 4)."""
    audiences = [given] if type(given) is str else given
    if type(audiences) is not list or any(type(each) is not str for each in audiences):
        raise TokenInvalid("aud")
    if ours not in audiences:
        raise AudienceWrong


def _time(claims: dict[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= _LATEST:
        raise TokenInvalid(name)
    return value


def _word(claims: dict[str, Any], name: str, *, empty: bool = False) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    # Not printable are NUL, line breaks and lone surrogates too, which a database or a log would choke on.
    if type(value) is not str or not value.isprintable() or not (value or empty):
        raise TokenInvalid(name)
    return value


def _words(value: Any) -> tuple[str, ...]:
    if type(value) is not list or any(type(each) is not str for each in value):
        raise TokenInvalid("amr")
    return tuple(value)


def _thumbprint(claims: dict[str, Any]) -> str | None:
    """Return the key that the token is bound to. A binding that we cannot check is no reason to drop it."""
    if "cnf" not in claims:
        return None
    match claims["cnf"]:
        case {"jkt": str(thumbprint), **others} if thumbprint and not others:
            return thumbprint
        case _:
            raise TokenInvalid("cnf")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    return value
