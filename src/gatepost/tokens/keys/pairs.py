"""Key pairs: how they are made, what of them is published, and how the private half is kept."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatepost.core.sealed import SealedColumn
from gatepost.core.secrets import KeyRing, Unsealable
from gatepost.tokens.models import SigningKey
from gatepost.tokens.settings import Algorithm

__all__ = ["SEALED", "Jwk", "Pair", "can_open", "new_pair", "private_key", "public_key"]

type Jwk = ECKey | OKPKey | RSAKey

# What NIST holds good beyond 2030 (SP 800-57, part 1): as strong as the curves.
_RSA_BITS = 3072
_KINDS: dict[str, type[ECKey | OKPKey | RSAKey]] = {"ES256": ECKey, "EdDSA": OKPKey, "RS256": RSAKey}


@dataclass(frozen=True, slots=True)
class Pair:
    """A new key pair. `private` is its JWK, to be sealed."""

    kid: str
    algorithm: Algorithm
    public: dict[str, Any]
    private: bytes

    def sealed(self, ring: KeyRing) -> bytes:
        """Return the private half as it is stored."""
        return ring.seal(self.private, _purpose(self.kid))


async def new_pair(algorithm: Algorithm) -> Pair:
    """Make a key pair, in a thread: for RSA it takes up to a second. Before the first statement of a transaction."""
    return await asyncio.to_thread(_make, algorithm)


def _make(algorithm: Algorithm) -> Pair:
    jwk: Jwk
    match algorithm:
        case "ES256":
            jwk = ECKey.generate_key("P-256")
        case "EdDSA":
            jwk = OKPKey.generate_key("Ed25519")
        case "RS256":
            jwk = RSAKey.generate_key(_RSA_BITS)
    kid = jwk.thumbprint()
    public = {**jwk.as_dict(private=False), "kid": kid, "use": "sig", "alg": algorithm}
    return Pair(kid, algorithm, public, json.dumps(jwk.as_dict(private=True)).encode())


def public_key(row: Any) -> Jwk:
    """Return the public half of a stored key."""
    return _KINDS[row.algorithm].import_key(row.public_jwk)


async def private_key(row: Any, ring: KeyRing) -> Jwk | None:
    """Return the private half of a stored key; None if it was sealed under another secret key, or erased."""
    try:
        opened = ring.open(row.private_sealed, _purpose(row.kid))
    except Unsealable:
        return None
    # Reading an RSA key tests its primes, which takes as long as a hash; a curve's is no work.
    return await asyncio.to_thread(_imported, row.algorithm, json.loads(opened))


def _imported(algorithm: str, private: dict[str, Any]) -> Jwk:
    jwk = _KINDS[algorithm].import_key(private)
    _ = jwk.private_key
    return jwk


def can_open(row: Any, ring: KeyRing) -> bool:
    """Tell whether the ring opens the private half."""
    try:
        ring.open(row.private_sealed, _purpose(row.kid))
    except Unsealable:
        return False
    return True


def _purpose(kid: str) -> str:
    return f"signing_keys.private_sealed:{kid}"


SEALED = SealedColumn(SigningKey.private_sealed, SigningKey.kid, _purpose)
"""Where private halves are kept."""
