"""What a program needs to know of this service before it can use it: the metadata of RFC 8414."""

import hashlib
import json
from urllib.parse import urlsplit

from gatepost.tokens.dpop import DPOP_ALGORITHMS
from gatepost.tokens.service import FIRST_PARTY_SCOPE

__all__ = ["MFA_GRANT", "WELL_KNOWN", "Metadata", "well_known_path"]

WELL_KNOWN = "/.well-known/oauth-authorization-server"

MFA_GRANT = "urn:gatepost:params:oauth:grant-type:mfa"
"""The grant that goes on with a sign-in after `mfa_required`."""


class Metadata:
    """The metadata in JSON, with its entity tag. The issuer alone decides what it says, so it is made once."""

    def __init__(self, issuer: str) -> None:
        self.path = urlsplit(issuer).path
        """What follows the well-known part where the issuer has a path (RFC 8414, section 3.1)."""
        said = {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/users/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "scopes_supported": [FIRST_PARTY_SCOPE],
            # There is no authorization endpoint, so none; the member itself is required.
            "response_types_supported": [],
            "grant_types_supported": ["password", "refresh_token", MFA_GRANT],
            "token_endpoint_auth_methods_supported": ["none"],
            "dpop_signing_alg_values_supported": [*DPOP_ALGORITHMS],
            "gatepost_revoked_sessions_uri": f"{issuer}/sessions/revoked",
        }
        self.body = json.dumps(said, separators=(",", ":")).encode()
        self.etag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def well_known_path(issuer: str) -> str:
    """Return where, at the root of its host, the metadata of an issuer is looked for."""
    return f"{WELL_KNOWN}{urlsplit(issuer).path}"
