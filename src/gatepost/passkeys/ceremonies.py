"""Judging what an authenticator made: the checks of WebAuthn (sections 7.1 and 7.2), each with its own reason.

The library reads the structures and verifies the signatures. What it does not look at stands here: pages inside of
others' pages, the key that belongs to an algorithm, and everything that must fit what we know.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import (
    DecodedEC2PublicKey,
    DecodedOKPPublicKey,
    DecodedRSAPublicKey,
)
from webauthn.helpers.exceptions import InvalidAuthenticatorDataStructure
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    RegistrationCredential,
)

from gatepost.passkeys.encoding import from_base64url, to_base64url
from gatepost.passkeys.events import RefusalReason
from gatepost.passkeys.models import LONGEST_CREDENTIAL_ID, LONGEST_KEY
from gatepost.passkeys.schemas import AssertionResponse, AttestationResponse
from gatepost.passkeys.site import Site

__all__ = [
    "ALGORITHMS",
    "Asserted",
    "ClientData",
    "Known",
    "Made",
    "Refusal",
    "asserted",
    "client_data",
    "made",
]

ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
"""ES256, EdDSA and RS256, in the order in which we like them."""

# Nobody asked for more than these when nobody asked for an attestation.
_UNASKED = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_RSA_BYTES = range(256, 513)
# A verification takes as long as the exponent is.
_LONGEST_EXPONENT = 4


class Refusal(Exception):
    """An answer that is not accepted; the reason is for operators."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class ClientData:
    """What the browser says of the page that asked; it is signed along."""

    raw: bytes
    type: str
    challenge: bytes
    origin: str
    cross_origin: bool
    token_binding: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A new credential."""

    credential_id: str
    public_key: str
    sign_count: int
    aaguid: UUID
    user_verified: bool
    backup_eligible: bool
    backed_up: bool


class Known(Protocol):
    """What is stored of a credential."""

    @property
    def public_key(self) -> str: ...
    @property
    def sign_count(self) -> int: ...
    @property
    def backup_eligible(self) -> bool: ...
    @property
    def user_verified(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asserted:
    """Somebody holds the key. `user_verified`: and the authenticator has verified who they are, as it did before."""

    sign_count: int
    backed_up: bool
    user_verified: bool


def client_data(encoded: str) -> ClientData:
    """Read the client data (section 5.8.1). Raises Refusal."""
    try:
        raw = from_base64url(encoded)
        said: Any = json.loads(raw)
        binding = said.get("tokenBinding")
        return ClientData(
            raw=raw,
            type=_text(said["type"]),
            challenge=from_base64url(_text(said["challenge"])),
            origin=_text(said["origin"]),
            # Said of a frame in another's page; the place of that page is said only then.
            cross_origin=said.get("crossOrigin") not in {None, False} or "topOrigin" in said,
            token_binding=None if binding is None else str(binding["status"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refusal("client_data_malformed") from error


def made(
    shown: AttestationResponse,
    client: ClientData,
    site: Site,
    *,
    user_verification: bool,
    aaguids: Collection[UUID],
) -> Made:
    """Return the credential that an answer to a creation brings (section 7.1). Raises Refusal.

    Whether the challenge is ours is for the caller to say.
    """
    _need_page(client, "webauthn.create", site)
    raw = _decoded(shown.response.attestation_object, "attestation_malformed")
    attestation = _parsed(parse_attestation_object, raw, "attestation_malformed")
    if not isinstance(attestation.fmt, str):
        raise Refusal("attestation_malformed")
    data: AuthenticatorData = attestation.auth_data
    _need_authenticator(data, site, user_verification=user_verification)
    new = data.attested_credential_data
    if new is None:
        raise Refusal("authenticator_data_malformed")
    named = to_base64url(new.credential_id)
    if not 0 < len(new.credential_id) <= LONGEST_CREDENTIAL_ID or not named == shown.id == shown.raw_id:
        raise Refusal("credential_id")
    _need_key(new.credential_public_key)
    model = UUID(bytes=new.aaguid)
    if aaguids and model not in aaguids:
        raise Refusal("aaguid")
    if not aaguids and attestation.fmt not in _UNASKED:
        raise Refusal("attestation_format")
    _need_attestation(shown, client, raw, site)
    return Made(
        credential_id=named,
        public_key=to_base64url(new.credential_public_key),
        sign_count=data.sign_count,
        aaguid=model,
        user_verified=data.flags.uv,
        backup_eligible=data.flags.be,
        backed_up=data.flags.bs,
    )


def asserted(
    shown: AssertionResponse, client: ClientData, site: Site, known: Known, *, user_verification: bool
) -> Asserted:
    """Return what an answer to a request shows of a credential that we know (section 7.2). Raises Refusal."""
    _need_page(client, "webauthn.get", site)
    raw = _decoded(shown.response.authenticator_data, "authenticator_data_malformed")
    data = _parsed(parse_authenticator_data, raw, "authenticator_data_malformed")
    _need_authenticator(data, site, user_verification=user_verification)
    # One that knew no PIN takes the first that anybody sets, also a thief: such a word is good for nothing.
    verified = data.flags.uv and known.user_verified
    if user_verification and not verified:
        raise Refusal("user_not_verified")
    _need_signature(shown, client, raw, site, known)
    # Only now: what nobody has signed shall not look like a copied key.
    if data.flags.be != known.backup_eligible:
        raise Refusal("backup_eligibility")
    if (data.sign_count or known.sign_count) and data.sign_count <= known.sign_count:
        raise Refusal("counter")
    return Asserted(data.sign_count, data.flags.bs, verified)


# ── what both have in common ─────────────────────────────────────────────────────────────────────────


def _need_page(client: ClientData, ceremony: str, site: Site) -> None:
    if client.type != ceremony:
        raise Refusal("type")
    if client.origin not in site.origins:
        raise Refusal("origin")
    if client.cross_origin:
        raise Refusal("cross_origin")
    # No connection of ours is bound, so none may say that it is (Level 2, section 7.1).
    if client.token_binding not in {None, "supported", "not-supported"}:
        raise Refusal("token_binding")


def _need_authenticator(data: AuthenticatorData, site: Site, *, user_verification: bool) -> None:
    if data.rp_id_hash != hashlib.sha256(site.rp_id.encode()).digest():
        raise Refusal("rp_id")
    if not data.flags.up:
        raise Refusal("user_not_present")
    if user_verification and not data.flags.uv:
        raise Refusal("user_not_verified")
    if data.flags.bs and not data.flags.be:
        raise Refusal("backup_flags")


def _need_key(cose: bytes) -> None:
    """Raise Refusal unless this is a key of ours of a kind that fits its algorithm, and can be used."""
    try:
        key = decode_credential_public_key(cose)
    except Exception as error:
        raise Refusal("key") from error
    if key.alg not in ALGORITHMS:
        raise Refusal("algorithm")
    fits = {
        COSEAlgorithmIdentifier.ECDSA_SHA_256: _is_p256,
        COSEAlgorithmIdentifier.EDDSA: _is_ed25519,
        COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256: _is_rsa,
    }
    try:
        usable = len(cose) <= LONGEST_KEY and fits[key.alg](key)
        if usable:
            decoded_public_key_to_cryptography(key)
    except Exception as error:
        raise Refusal("key") from error
    if not usable:
        raise Refusal("key")


def _is_p256(key: object) -> bool:
    return isinstance(key, DecodedEC2PublicKey) and key.crv == COSECRV.P256


def _is_ed25519(key: object) -> bool:
    return isinstance(key, DecodedOKPPublicKey) and key.crv == COSECRV.ED25519


def _is_rsa(key: object) -> bool:
    return (
        isinstance(key, DecodedRSAPublicKey)
        and len(key.n.lstrip(b"\0")) in _RSA_BYTES
        and len(key.e) <= _LONGEST_EXPONENT
    )


def _need_attestation(shown: AttestationResponse, client: ClientData, attestation: bytes, site: Site) -> None:
    credential = RegistrationCredential(
        id=shown.id,
        raw_id=from_base64url(shown.raw_id),
        response=AuthenticatorAttestationResponse(
            client_data_json=client.raw, attestation_object=attestation
        ),
    )
    try:
        verify_registration_response(
            credential=credential,
            expected_challenge=client.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            supported_pub_key_algs=list(ALGORITHMS),
        )
    except Exception as error:
        raise Refusal("attestation") from error


def _need_signature(
    shown: AssertionResponse, client: ClientData, authenticator_data: bytes, site: Site, known: Known
) -> None:
    try:
        response = AuthenticatorAssertionResponse(
            client_data_json=client.raw,
            authenticator_data=authenticator_data,
            signature=from_base64url(shown.response.signature),
        )
        verify_authentication_response(
            credential=AuthenticationCredential(shown.id, from_base64url(shown.raw_id), response),
            expected_challenge=client.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            credential_public_key=from_base64url(known.public_key),
            # It is judged by us, after the signature.
            credential_current_sign_count=0,
        )
    except Exception as error:
        raise Refusal("signature") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("is no text")
    return value


def _decoded(text: str, reason: RefusalReason) -> bytes:
    try:
        return from_base64url(text)
    except ValueError as error:
        raise Refusal(reason) from error


def _parsed[T](parse: Callable[[bytes], T], raw: bytes, reason: RefusalReason) -> T:
    try:
        return parse(raw)
    except InvalidAuthenticatorDataStructure as error:
        raise Refusal("authenticator_data_malformed") from error
    except Exception as error:
        raise Refusal(reason) from error
