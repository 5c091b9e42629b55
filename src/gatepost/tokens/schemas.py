"""What the token endpoint answers."""

from typing import Any, Literal

from pydantic import Field

from gatepost.core.schemas import Output

__all__ = ["KeySet", "ServerMetadata", "TokenResponse"]


class TokenResponse(Output):
    """A successful answer of the token endpoint (RFC 6749, section 5.1)."""

    access_token: str = Field(description="A JWT after RFC 9068.")
    token_type: Literal["bearer", "DPoP"] = Field(
        "bearer", description="`DPoP` where the tokens are bound to a key of the client's (RFC 9449)."
    )
    expires_in: int = Field(description="Life of the access token, in seconds.")
    refresh_token: str = Field(description="Works once; the answer to its use holds the next one.")
    scope: str


class KeySet(Output):
    """A JWK set (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]


class ServerMetadata(Output):
    """What the service offers and where (RFC 8414, section 2)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    gatepost_revoked_sessions_uri: str = Field(description="Where the list of ended sessions is read.")
