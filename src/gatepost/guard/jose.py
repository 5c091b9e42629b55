"""Signed documents of the issuer: opened with the algorithm of the key, never with the document's own choice."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey

__all__ = ["MALFORMED", "Key", "Sealed", "extracted", "imported", "opened"]

# All that the library and the standard library raise for what somebody made up.
MALFORMED = (
    JoseError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)

_ALGORITHMS = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", None): "RS256"}
_MEMBERS = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n", "e")}
# Points of Ed25519 of small order, by their y: with one of them a signature proves nothing (RFC 8032, section 5.1.7).
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
_LEAST_RSA, _MOST_RSA = 2048, 4096
# Longer members than any of these keys has; and whoever chose `e` decides how long verifying takes.
_LONGEST_MEMBER, _LONGEST_E = 700, 6


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and the one algorithm that it verifies."""

    algorithm: str
    jwk: ECKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed document that nobody has verified yet."""

    header: Mapping[str, Any]
    signature: jws.CompactSignature


class _Pinned(jws.JWSRegistry):
    """Knows one algorithm, and uses it without a warning.

    The library warns of EdDSA because RFC 9864 renames it to Ed25519; issuers in the field call it EdDSA.
    """

    max_header_length = 2048  # a proof's header holds a key, and one of RSA is long
    max_payload_length = 512 * 1024

    @override
    def get_alg(self, name: str) -> jws.JWSAlgModel:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_PINNED = {name: _Pinned(algorithms=[name]) for name in _ALGORITHMS.values()}
_ANY = _Pinned(algorithms=list(_ALGORITHMS.values()))


def imported(jwk: Mapping[str, Any]) -> Key | None:
    """Return the public key, None if it is of a kind that we do not use. Raises one of MALFORMED.

    Only the members that make the key are taken: nothing else in it decides how it is used.
    """
    kind: Any = jwk.get("kty")
    algorithm = _ALGORITHMS.get((kind, jwk.get("crv") if kind != "RSA" else None))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    members = {name: jwk[name] for name in _MEMBERS[kind]}
    if any(type(value) is not str or len(value) > _LONGEST_MEMBER for value in members.values()):
        raise ValueError("not a key")
    if kind == "EC":
        return Key(algorithm, ECKey.import_key({"kty": "EC", "crv": "P-256", **members}))
    if kind == "OKP":
        point = base64.urlsafe_b64decode(members["x"] + "==")
        if point[:-1] + bytes([point[-1] & 0x7F]) in _SMALL_ORDER:
            raise ValueError("not a key")
        return Key(algorithm, OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", **members}))
    modulus = int.from_bytes(base64.urlsafe_b64decode(members["n"] + "=="))
    if not _LEAST_RSA <= modulus.bit_length() <= _MOST_RSA or len(members["e"]) > _LONGEST_E:
        raise ValueError("not a key")
    return Key(algorithm, RSAKey.import_key({"kty": "RSA", **members}))


def extracted(text: str) -> Sealed:
    """Return a signed document in compact serialization. Raises one of MALFORMED."""
    signature = jws.extract_compact(text.encode("ascii"), registry=_ANY)
    return Sealed(signature.protected, signature)


def opened(sealed: Sealed, key: Key) -> dict[str, Any]:
    """Return the claims of a document that this key has signed. Raises one of MALFORMED."""
    if sealed.header.get("alg") != key.algorithm:
        raise ValueError("another algorithm than the key's")
    if not jws.validate_compact(sealed.signature, key.jwk, registry=_PINNED[key.algorithm]):
        raise ValueError("the signature is wrong")
    claims = json.loads(sealed.signature.payload or b"")
    if not isinstance(claims, dict):
        raise TypeError("not claims")
    return claims
