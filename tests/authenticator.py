"""An authenticator in software, and the browser around it: makes what real ones make, and what they never would.

key = Authenticator()
made = key.create(options, origin)                       # as `navigator.credentials.create()` and `toJSON()`
shown = key.get(options, origin)                         # as `navigator.credentials.get()`
shown = key.get(options, origin, Twist(origin="https://evil.example"))
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = ["Authenticator", "Key", "Twist", "decoded", "ed25519_key", "encoded", "p256_key", "rsa_key"]

UP, UV, BE, BS, AT = 1, 4, 8, 16, 64


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Key:
    """A key pair: its public half in COSE, and how it signs."""

    cose: dict[int, Any]
    sign: Callable[[bytes], bytes]


def p256_key(*, curve: int = 1, alg: int = -7) -> Key:
    """ES256, or with a curve or an algorithm that do not fit it."""
    curves: dict[int, ec.EllipticCurve] = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
    private = ec.generate_private_key(curves[curve])
    numbers, size = private.public_key().public_numbers(), (private.key_size + 7) // 8
    cose = {1: 2, 3: alg, -1: curve, -2: numbers.x.to_bytes(size), -3: numbers.y.to_bytes(size)}
    return Key(cose, lambda data: private.sign(data, ec.ECDSA(SHA256())))


def ed25519_key() -> Key:
    """EdDSA."""
    private = ed25519.Ed25519PrivateKey.generate()
    return Key({1: 1, 3: -8, -1: 6, -2: private.public_key().public_bytes_raw()}, private.sign)


def rsa_key(*, bits: int = 2048) -> Key:
    """RS256."""
    private = rsa.generate_private_key(65537, bits)
    numbers = private.public_key().public_numbers()
    cose = {1: 3, 3: -257, -1: numbers.n.to_bytes(bits // 8), -2: numbers.e.to_bytes(3)}
    return Key(cose, lambda data: private.sign(data, padding.PKCS1v15(), SHA256()))


def _same(value: bytes) -> bytes:
    return value


@dataclass(frozen=True)
class Twist:
    """What an attacker makes otherwise than an honest browser and its authenticator would.

    `client` are members of the client data that take the place of others (None: left out). The callables change
    bytes on their way; `shown` changes the answer as a whole.
    """

    client: Mapping[str, Any] = field(default_factory=dict)
    client_bytes: Callable[[bytes], bytes] = _same
    rp_id: str | None = None
    flags: Callable[[int], int] = lambda flags: flags
    counter: int | None = None
    credential_id: bytes | None = None
    cose: Mapping[int, Any] | None = None
    authenticator_data: Callable[[bytes], bytes] = _same
    attestation: Callable[[bytes], dict[str, Any]] | None = None
    attestation_object: Callable[[bytes], bytes] = _same
    signed_by: Key | None = None
    signature: Callable[[bytes], bytes] = _same
    user_handle: str | None = None
    shown: Callable[[dict[str, Any]], dict[str, Any]] = lambda shown: shown


NONE = Twist()


class Authenticator:
    """One device with one credential. `counts`: whether it counts its signatures, as many do not."""

    def __init__(
        self,
        key: Key | None = None,
        *,
        verifies: bool = True,
        synced: bool = False,
        counts: bool = True,
        aaguid: bytes = bytes(16),
    ) -> None:
        self.key = key or p256_key()
        self.credential_id = secrets.token_bytes(32)
        self.flags = UP | (UV if verifies else 0) | (BE | BS if synced else 0)
        self.counts = counts
        self.counter = 0
        self.aaguid = aaguid
        self.user_handle = ""
        self.rp_id = ""

    def create(self, options: Mapping[str, Any], origin: str, twist: Twist = NONE) -> dict[str, Any]:
        """Make a credential for these options, as the JSON that goes to the service."""
        self.user_handle, self.rp_id = options["user"]["id"], options["rp"]["id"]
        named = self.credential_id if twist.credential_id is None else twist.credential_id
        public = cbor2.dumps(dict(self.key.cose if twist.cose is None else twist.cose))
        new = self.aaguid + len(named).to_bytes(2) + named + public
        client = self._client_data("webauthn.create", options, origin, twist)
        data = self._authenticator_data(twist, AT) + new
        data = twist.authenticator_data(data)
        vouched = {"fmt": "none", "attStmt": {}}
        if twist.attestation is not None:
            vouched = twist.attestation(data + hashlib.sha256(client).digest())
        attestation = twist.attestation_object(cbor2.dumps({**vouched, "authData": data}))
        answer: dict[str, Any] = {
            "id": encoded(named),
            "rawId": encoded(named),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": True}},
            "response": {
                "clientDataJSON": encoded(client),
                "attestationObject": encoded(attestation),
                "authenticatorData": encoded(data),
                "transports": ["internal", "hybrid"],
                "publicKeyAlgorithm": -7,
            },
        }
        return twist.shown(answer)

    def get(self, options: Mapping[str, Any], origin: str, twist: Twist = NONE) -> dict[str, Any]:
        """Sign what these options ask for, as the JSON that goes to the service."""
        client = self._client_data("webauthn.get", options, origin, twist)
        data = twist.authenticator_data(self._authenticator_data(twist, 0))
        signed = (twist.signed_by or self.key).sign(data + hashlib.sha256(client).digest())
        handle = self.user_handle if twist.user_handle is None else twist.user_handle
        answer: dict[str, Any] = {
            "id": encoded(self.credential_id),
            "rawId": encoded(self.credential_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(twist.signature(signed)),
                "userHandle": handle,
            },
        }
        return twist.shown(answer)

    def vouching(self, key: Key | None = None) -> Callable[[bytes], dict[str, Any]]:
        """Return an attestation that the credential's own key makes, or another in its place (section 8.2)."""
        signing = key or self.key
        return lambda signed: {"fmt": "packed", "attStmt": {"alg": -7, "sig": signing.sign(signed)}}

    def _client_data(self, kind: str, options: Mapping[str, Any], origin: str, twist: Twist) -> bytes:
        said: dict[str, Any] = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": origin,
            "crossOrigin": False,
        }
        said = {name: value for name, value in {**said, **twist.client}.items() if value is not None}
        return twist.client_bytes(json.dumps(said).encode())

    def _authenticator_data(self, twist: Twist, more_flags: int) -> bytes:
        self.counter += self.counts
        rp_id = self.rp_id if twist.rp_id is None else twist.rp_id
        counter = self.counter if twist.counter is None else twist.counter
        flags = twist.flags(self.flags | more_flags)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + counter.to_bytes(4)
