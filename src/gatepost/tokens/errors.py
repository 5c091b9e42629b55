"""What can go wrong with a token."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from gatepost.core.errors import Invalid, NotFound, Unauthenticated, Unavailable

__all__ = [
    "DpopProofInvalid",
    "DpopProofNeeded",
    "RefreshRefused",
    "ScopeInvalid",
    "SessionOver",
    "SigningKeyUnknown",
    "SigningKeyUnopened",
    "TokenExpired",
    "TokenInvalid",
]


class TokenInvalid(Unauthenticated):
    """The access token is not one of ours (RFC 6750, section 3.1)."""

    code = "token-invalid"
    sentence = "The access token is not valid."
    challenge: Mapping[str, str] = MappingProxyType({"error": "invalid_token"})


class TokenExpired(TokenInvalid):
    """The token is one of ours, and its time is over: the refresh token brings the next one."""

    code = "token-expired"
    sentence = "The access token has expired."


class SessionOver(TokenInvalid):
    """The token is one of ours, and its session is over: `reason` says why, `event` where to look it up."""

    code = "session-over"
    sentence = "You were signed out. Sign in again."

    def __init__(self, reason: str, event: UUID | None) -> None:
        super().__init__(**_told(reason, event))


class DpopProofInvalid(Invalid):
    """The proof in the header DPoP is missing, wrong, of another request, or was shown before (RFC 9449, section 5)."""

    code = "dpop-proof-invalid"
    sentence = "The DPoP proof is not valid."

    def __init__(self) -> None:
        super().__init__(error="invalid_dpop_proof")


class DpopProofNeeded(Unauthenticated):
    """The access token is bound to a key that the request does not prove (RFC 9449, section 7.1)."""

    code = "dpop-proof-needed"
    sentence = "Send the token as `Authorization: DPoP …`, with a proof of its key in the header DPoP."
    scheme = "DPoP"
    challenge: Mapping[str, str] = MappingProxyType(
        {"error": "invalid_dpop_proof", "algs": "ES256 EdDSA RS256"}
    )


class RefreshRefused(Invalid):
    """The refresh token is unknown, used, expired, or its session has ended (RFC 6749, section 5.2)."""

    code = "refresh-refused"
    sentence = "The refresh token is not valid. Sign in again."
    # A used token that is shown again ends its family, and that must stay.
    keep_changes = True

    def __init__(self, reason: str | None = None, event: UUID | None = None) -> None:
        super().__init__(error="invalid_grant", **_told(reason, event))


class ScopeInvalid(Invalid):
    """None of the scopes asked for can be granted (RFC 6749, section 5.2)."""

    code = "scope-invalid"
    sentence = "None of the requested scopes can be granted."

    def __init__(self) -> None:
        super().__init__(error="invalid_scope")


class SigningKeyUnopened(Unavailable):
    """The current signing key was sealed under a secret key that this process does not have."""

    code = "signing-key-unopened"
    sentence = "The service cannot sign tokens now. Try again shortly."

    def __init__(self, kid: str) -> None:
        super().__init__(kid=kid)


class SigningKeyUnknown(NotFound):
    """There is no signing key of that id, or it was removed."""

    code = "signing-key-unknown"
    sentence = "There is no such signing key."


def _told(reason: str | None, event: UUID | None) -> dict[str, Any]:
    """Return the members that tell the holder of a token why it does not work any more."""
    told: dict[str, Any] = {} if reason is None else {"reason": reason}
    return told if event is None else {**told, "event": str(event)}
