"""Tokens: signed access tokens, rotating refresh tokens, and the keys they are signed with.

Owns the tables `refresh_families` and `signing_keys`. Promises that a token speaks for a live session of an
active person, or for nobody; that a refresh token has one successor; that a private key is never stored in
clear; that no key signs before others can know it, and none that was revoked counts anywhere for long.
"""

from gatepost.tokens.access_token import AccessTokens, TokenClaims
from gatepost.tokens.callers import Authenticated, Authentication, Callers, Leased, Unchanged, session_cookies
from gatepost.tokens.discovery import MFA_GRANT, Metadata, well_known_path
from gatepost.tokens.dpop import DPOP_ALGORITHMS, DpopProof, SenderKeys, spent_proofs
from gatepost.tokens.errors import (
    DpopProofInvalid,
    DpopProofNeeded,
    RefreshRefused,
    ScopeInvalid,
    SessionOver,
    SigningKeyUnknown,
    SigningKeyUnopened,
    TokenExpired,
    TokenInvalid,
)
from gatepost.tokens.events import (
    RefreshTokenReused,
    SigningKeyActivated,
    SigningKeyCreated,
    SigningKeyRemoved,
    SigningKeyRevoked,
)
from gatepost.tokens.keys import SEALED, UNOPENED, KeyInfo, KeyStore, SigningKeys, keys_tended
from gatepost.tokens.models import KeyState, RefreshFamily, SigningKey
from gatepost.tokens.refresh import RefreshTokens, refresh_handles
from gatepost.tokens.revoked import RevokedSessions
from gatepost.tokens.schemas import TokenResponse
from gatepost.tokens.service import Tokens
from gatepost.tokens.settings import TokenOptions

__all__ = [
    "DPOP_ALGORITHMS",
    "MFA_GRANT",
    "SEALED",
    "UNOPENED",
    "AccessTokens",
    "Authenticated",
    "Authentication",
    "Callers",
    "DpopProof",
    "DpopProofInvalid",
    "DpopProofNeeded",
    "KeyInfo",
    "KeyState",
    "KeyStore",
    "Leased",
    "Metadata",
    "RefreshFamily",
    "RefreshRefused",
    "RefreshTokenReused",
    "RefreshTokens",
    "RevokedSessions",
    "ScopeInvalid",
    "SenderKeys",
    "SessionOver",
    "SigningKey",
    "SigningKeyActivated",
    "SigningKeyCreated",
    "SigningKeyRemoved",
    "SigningKeyRevoked",
    "SigningKeyUnknown",
    "SigningKeyUnopened",
    "SigningKeys",
    "TokenClaims",
    "TokenExpired",
    "TokenInvalid",
    "TokenOptions",
    "TokenResponse",
    "Tokens",
    "Unchanged",
    "keys_tended",
    "refresh_handles",
    "session_cookies",
    "spent_proofs",
    "well_known_path",
]
