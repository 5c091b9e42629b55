"""Forges access tokens from raw bytes: what no library would write."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost import Gatepost

Signer = Callable[[bytes], bytes]


def encoded(value: bytes) -> str:
    """Return Base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decoded(part: str) -> Any:
    """Return the JSON of a part of a token."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def forged(header: Any, claims: Any, sign: Signer) -> str:
    """Return a token of any header and claims; text and bytes are taken as they are."""
    signing_input = f"{_part(header)}.{_part(claims)}"
    return f"{signing_input}.{encoded(sign(signing_input.encode()))}"


def _part(value: Any) -> str:
    if isinstance(value, bytes):
        return encoded(value)
    return encoded(json.dumps(value).encode())


def hmac_with(secret: bytes, algorithm: str = "sha256") -> Signer:
    """Return a signer with a shared secret."""
    return lambda signing_input: hmac.new(secret, signing_input, algorithm).digest()


def unsigned(_signing_input: bytes) -> bytes:
    """Sign with nothing."""
    return b""


def signer(key: Any) -> Signer:
    """Return a signer with a private key, in the form JWS wants (RFC 7518, 3.3 and 3.4; RFC 8037)."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign
    if isinstance(key, RSAPrivateKey):
        return lambda signing_input: key.sign(signing_input, PKCS1v15(), SHA256())
    assert isinstance(key, EllipticCurvePrivateKey)

    def sign(signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signing_input, ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


async def our_signer(gatepost: Gatepost) -> Signer:
    """Return a signer with the service's own key: what a bug in issuing, or a thief, could sign."""
    return signer((await gatepost.keys.signing()).jwk.private_key)


@dataclass(frozen=True)
class Sample:
    """A true token taken apart, and the public key it verifies with."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    jwk: Mapping[str, Any]

    @property
    def public_key(self) -> Any:
        """The public key as an object."""
        return jwt.PyJWK.from_dict(dict(self.jwk)).key

    def public_encodings(self) -> dict[str, bytes]:
        """Return the public key in every encoding that could be mistaken for a shared secret."""
        key: Any = self.public_key
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {
            "PEM": pem,
            "PEM without its last newline": pem.rstrip(),
            "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "OpenSSH": key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            **self._own_encodings(key),
            "JWK": json.dumps(self.jwk).encode(),
            "JWK, compact": json.dumps(self.jwk, separators=(",", ":")).encode(),
            "x": str(self.jwk.get("x", self.jwk.get("n"))).encode(),
            "kid": str(self.jwk["kid"]).encode(),
            "thumbprint": hashlib.sha256(json.dumps(self.jwk).encode()).digest(),
            "empty": b"",
        }

    def _own_encodings(self, key: Any) -> dict[str, bytes]:
        """Return the encodings that only this kind of key has."""
        match self.jwk["kty"]:
            case "EC":
                return {"raw": key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)}
            case "RSA":
                pkcs1 = {"PKCS#1 PEM": Encoding.PEM, "PKCS#1 DER": Encoding.DER}
                found = {name: key.public_bytes(form, PublicFormat.PKCS1) for name, form in pkcs1.items()}
                return {**found, "PKCS#1 PEM without its last newline": found["PKCS#1 PEM"].rstrip()}
            case _:
                return {"raw": key.public_bytes(Encoding.Raw, PublicFormat.Raw)}


def sample(token: str, jwks: Mapping[str, Any]) -> Sample:
    """Take a true token apart."""
    head, body, _ = token.split(".")
    header = decoded(head)
    jwk = next(key for key in jwks["keys"] if key["kid"] == header["kid"])
    return Sample(header, decoded(body), jwk)
