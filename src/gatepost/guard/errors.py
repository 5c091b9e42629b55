"""Why a request is refused: a stable code, a status, and the challenge that tells the client what to do."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

__all__ = [
    "AudienceWrong",
    "ProofInvalid",
    "ProofRequired",
    "Refused",
    "Scheme",
    "ScopeMissing",
    "SessionRevoked",
    "StepUpRequired",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "Unverifiable",
]

Scheme = Literal["Bearer", "DPoP"]


class Refused(Exception):
    """The request is not let in. `reason` is for the log alone: whoever sent garbage learns nothing from it."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 401
    sentence: ClassVar[str] = "The request was refused."
    error: ClassVar[str | None] = None
    scheme: Scheme = "Bearer"
    """How the token was sent, or has to be."""

    def __init__(self, reason: str = "", **parameters: str) -> None:
        self.reason = reason
        self.parameters: Mapping[str, str] = parameters
        super().__init__(f"{self.code}: {reason}" if reason else self.code)

    @property
    def www_authenticate(self) -> str | None:
        """The challenge (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9470); None if none would help."""
        named = {"realm": "gatepost"}
        if self.error is not None:
            named["error"] = self.error
        if self.scheme == "DPoP":
            named["algs"] = "ES256 EdDSA RS256"
        listed = ", ".join(f'{name}="{value}"' for name, value in {**named, **self.parameters}.items())
        return f"{self.scheme} {listed}"

    @property
    def retry_after(self) -> int | None:
        """After how many seconds the same request may be let in; None: never."""
        return None


class TokenMissing(Refused):
    """The request bears no access token. The challenge has no error: nothing was tried."""

    code = "token-missing"
    sentence = "Send an access token."


class TokenInvalid(Refused):
    """The token is none of the issuer's, or not one that may be used here."""

    code = "token-invalid"
    sentence = "The access token is not valid."
    error = "invalid_token"


class TokenExpired(TokenInvalid):
    """The token was good once."""

    code = "token-expired"
    sentence = "The access token has expired."


class AudienceWrong(TokenInvalid):
    """The token is the issuer's, for another service."""

    code = "audience-wrong"
    sentence = "The access token is not for this service."


class SessionRevoked(TokenInvalid):
    """The session that the token speaks for has ended."""

    code = "session-revoked"
    sentence = "The session has ended. Sign in again."


class ProofRequired(TokenInvalid):
    """The token is bound to a key, and was sent as if it were not (RFC 9449, section 7.2)."""

    code = "proof-required"
    sentence = "The access token is bound to a key. Send it with a proof."
    scheme = "DPoP"


class ProofInvalid(Refused):
    """The proof that the sender holds the token's key does not hold (RFC 9449, section 4.3)."""

    code = "proof-invalid"
    sentence = "The DPoP proof is not valid."
    error = "invalid_dpop_proof"


class ScopeMissing(Refused):
    """The token does not reach as far as what was asked for."""

    code = "scope-missing"
    status = 403
    sentence = "The access token does not have the scope that this needs."
    error = "insufficient_scope"

    def __init__(self, needed: Iterable[str]) -> None:
        super().__init__(scope=" ".join(sorted(needed)))


class StepUpRequired(Refused):
    """The person has to authenticate again, or better (RFC 9470)."""

    code = "step-up-required"
    sentence = "Authenticate again to do this."
    error = "insufficient_user_authentication"


class Unverifiable(Refused):
    """What is needed to judge the token could not be read from the issuer."""

    code = "unverifiable"
    status = 503
    sentence = "Access tokens cannot be verified now. Try again shortly."

    @property
    def www_authenticate(self) -> None:
        """None: another token would not help."""
        return

    @property
    def retry_after(self) -> int:
        """Return one: as soon as the issuer is back."""
        return 1
