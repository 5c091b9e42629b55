"""Access tokens: JWTs after RFC 9068, signed and verified with a pinned algorithm."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args, override
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from gatepost.core.clock import Clock
from gatepost.core.ids import new_id
from gatepost.tokens.errors import TokenExpired, TokenInvalid
from gatepost.tokens.keys import KeyStore
from gatepost.tokens.settings import Algorithm, TokenOptions

__all__ = ["PINNED", "AccessTokens", "TokenClaims"]

TYPE = "at+jwt"
LONGEST = 4096
REMEMBERED = 10_000
_HEADER_NAMES = {"alg", "typ", "kid"}
_CLAIMS = {"sub": str, "sid": str, "client_id": str, "scope": str, "jti": str, "iat": int, "exp": int}


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a verified token says. `expires_at` is in seconds since the epoch."""

    subject: UUID
    session_id: UUID
    client_id: str
    scope: str
    expires_at: float
    key_thumbprint: str | None = None


class _Pinned(jws.JWSRegistry):
    """Knows one algorithm, and uses it without a warning.

    The library warns of EdDSA because RFC 9864 renames it to Ed25519; verifiers in the field know it as EdDSA.
    """

    @override
    def get_alg(self, name: str) -> jws.JWSAlgModel:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


PINNED = {name: _Pinned(algorithms=[name]) for name in get_args(Algorithm)}


class AccessTokens:
    """Signs and verifies access tokens. Verified ones are remembered by digest until they expire, or a key is gone.

    `hits` and `misses` count the tokens that were remembered, and those that were not.
    """

    def __init__(self, keys: KeyStore, options: TokenOptions, issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._options = options
        self._issuer = issuer
        self._audience = options.audience or issuer
        self._clock = clock
        self._verified: OrderedDict[bytes, TokenClaims] = OrderedDict()
        self._generation = keys.generation
        self.hits = 0
        self.misses = 0

    @property
    def lifetime(self) -> int:
        """Life of a token, in seconds."""
        return int(self._options.access_lifetime.total_seconds())

    async def ready(self) -> None:
        """Have a key to sign with. Before the transaction: making one takes a transaction of its own."""
        await self._keys.ready()

    async def issue(
        self,
        subject: UUID,
        session_id: UUID,
        client_id: str,
        scope: str,
        not_after: datetime,
        key_thumbprint: str | None = None,
    ) -> str:
        """Return a signed token, which never outlives its session. Only for a session that `login` let in.

        With a thumbprint it is bound to that key of the client's (RFC 9449, section 6.1).
        """
        key = await self._keys.signing()
        now = int(self._clock.now().timestamp())
        # No longer than the key is kept for, if it took over after `ready`, and others sign shorter ones with it.
        lifetime = min(self.lifetime, key.token_seconds or self.lifetime)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": str(subject),
            "aud": self._audience,
            "exp": min(now + lifetime, int(not_after.timestamp())),
            "iat": now,
            "jti": str(new_id()),
            "sid": str(session_id),
            "client_id": client_id,
            "scope": scope,
        }
        if key_thumbprint is not None:
            claims["cnf"] = {"jkt": key_thumbprint}
        header = {"alg": key.algorithm, "typ": TYPE, "kid": key.kid}
        return jwt.encode(header, claims, key.jwk, registry=PINNED[key.algorithm])

    async def verify(self, token: str) -> TokenClaims:
        """Return what the token says. Raises TokenExpired, TokenInvalid for whatever else is wrong with it."""
        if len(token) > LONGEST or not token.isascii():
            raise TokenInvalid
        if self._keys.outdated:
            await self._keys.refresh()
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._verified.clear()
        remembered = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(remembered)
        if claims is None:
            self.misses += 1
            claims = await self._verify(token)
            self._remember(remembered, claims)
        else:
            self.hits += 1
            self._verified.move_to_end(remembered)
        if claims.expires_at <= self._clock.now().timestamp():
            self._verified.pop(remembered, None)
            raise TokenExpired
        return claims

    def _remember(self, remembered: bytes, claims: TokenClaims) -> None:
        self._verified[remembered] = claims
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)

    async def _verify(self, token: str) -> TokenClaims:
        try:
            header = jws.extract_compact(token.encode()).protected
            # Exactly our own header: no `crit`, `jwk`, `jku`, `x5c`, and the algorithm is the key's, not the token's.
            if set(header) != _HEADER_NAMES or header["typ"] != TYPE or not isinstance(header["kid"], str):
                raise TokenInvalid
            key = await self._keys.verifying(header["kid"])
            if key is None or header["alg"] != key.algorithm:
                raise TokenInvalid
            claims = jwt.decode(token, key.jwk, registry=PINNED[key.algorithm]).claims
            return self._checked(claims)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise TokenInvalid from error

    def _checked(self, claims: dict[str, Any]) -> TokenClaims:
        if claims["iss"] != self._issuer or claims["aud"] != self._audience:
            raise TokenInvalid
        if any(type(claims[name]) is not kind for name, kind in _CLAIMS.items()):
            raise TokenInvalid
        return TokenClaims(
            subject=UUID(claims["sub"]),
            session_id=UUID(claims["sid"]),
            client_id=claims["client_id"],
            scope=claims["scope"],
            expires_at=float(claims["exp"]),
            key_thumbprint=claims["cnf"]["jkt"] if "cnf" in claims else None,
        )
