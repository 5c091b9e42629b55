"""Passkeys as they come in and go out; what browsers make and take is as WebAuthn names it (section 5.1)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from gatepost.core.schemas import Input, Label, Output

__all__ = [
    "AssertionResponse",
    "AttestationResponse",
    "AuthenticatorSelection",
    "CreationOptions",
    "Descriptor",
    "NewPasskey",
    "Parameters",
    "PasskeyList",
    "PasskeyOut",
    "RelyingParty",
    "Rename",
    "RequestOptions",
    "UserEntity",
]

_LONGEST_ID = 1364


PasskeyName = Annotated[Label, Field(examples=["My phone"], description="What its owner calls it.")]


def _base64url(longest: int, description: str, *, alias: str | None = None) -> Any:
    pattern = r"^[A-Za-z0-9_-]+$"
    return Field(max_length=longest, pattern=pattern, description=f"{description} In base64url.", alias=alias)


# ── from the browser ─────────────────────────────────────────────────────────────────────────────────


class _Browsers(Input):
    """What `toJSON()` makes. Browsers add members: those that we do not know are not read."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, validate_by_name=True)


_ClientData = Annotated[str, _base64url(8_192, "What the browser says of the page.", alias="clientDataJSON")]
_CredentialId = Annotated[str, _base64url(_LONGEST_ID, "The id of the credential.")]


class AttestedResponse(_Browsers):
    """What an authenticator made for a new credential."""

    client_data_json: _ClientData
    attestation_object: Annotated[str, _base64url(49_152, "The new key, and what vouches for it.")]
    transports: list[Annotated[str, Field(max_length=32)]] = Field(default_factory=list, max_length=10)


class AttestationResponse(_Browsers):
    """The credential that `navigator.credentials.create()` returned, as its `toJSON()` has it."""

    id: _CredentialId
    raw_id: _CredentialId
    type: Literal["public-key"]
    response: AttestedResponse
    client_extension_results: dict[str, Any] = Field(default_factory=dict)

    @property
    def discoverable(self) -> bool | None:
        """Whether the browser says that the credential is found without a name; None if it does not say."""
        said = self.client_extension_results.get("credProps")
        found = said.get("rk") if isinstance(said, dict) else None
        return found if isinstance(found, bool) else None


class AssertedResponse(_Browsers):
    """What an authenticator signed."""

    client_data_json: _ClientData
    authenticator_data: Annotated[str, _base64url(8_192, "What the authenticator says.")]
    signature: Annotated[str, _base64url(8_192, "The signature over both.")]
    user_handle: str | None = Field(
        None, max_length=88, description="What stands for the person. In base64url."
    )


class AssertionResponse(_Browsers):
    """The credential that `navigator.credentials.get()` returned, as its `toJSON()` has it."""

    id: _CredentialId
    raw_id: _CredentialId
    type: Literal["public-key"]
    response: AssertedResponse


class NewPasskey(Input):
    """A passkey to add: what to call it, and what the browser returned."""

    name: PasskeyName
    credential: AttestationResponse


class Rename(Input):
    """Another name for a passkey."""

    name: PasskeyName


# ── for the browser ──────────────────────────────────────────────────────────────────────────────────


class _ForBrowsers(Output):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


Verification = Literal["required", "preferred"]


class RelyingParty(_ForBrowsers):
    """Whose passkey it is going to be."""

    id: str
    name: str


class UserEntity(_ForBrowsers):
    """For whom: `id` is random and says nothing, the names are shown when somebody chooses among accounts."""

    id: str
    name: str
    display_name: str


class Parameters(_ForBrowsers):
    """An algorithm that is taken (COSE)."""

    type: Literal["public-key"] = "public-key"
    alg: int


class Descriptor(_ForBrowsers):
    """A credential, and how it is reached."""

    type: Literal["public-key"] = "public-key"
    id: str
    transports: list[str]


class AuthenticatorSelection(_ForBrowsers):
    """Which authenticators would do."""

    resident_key: Literal["required", "preferred"]
    require_resident_key: bool
    user_verification: Verification


class CreationOptions(_ForBrowsers):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON()`, and then `navigator.credentials.create()`."""

    rp: RelyingParty
    user: UserEntity
    challenge: str
    pub_key_cred_params: list[Parameters]
    timeout: int = Field(description="In milliseconds.")
    exclude_credentials: list[Descriptor]
    authenticator_selection: AuthenticatorSelection
    attestation: Literal["none", "direct"]
    extensions: dict[str, bool]


class RequestOptions(_ForBrowsers):
    """For `PublicKeyCredential.parseRequestOptionsFromJSON()`, and then `navigator.credentials.get()`."""

    challenge: str
    timeout: int = Field(description="In milliseconds.")
    rp_id: str
    allow_credentials: list[Descriptor]
    user_verification: Verification


class PasskeyOut(Output):
    """A passkey of one's own."""

    id: UUID
    name: str
    credential_id: str = Field(description="As authenticators know it. In base64url.")
    aaguid: UUID = Field(
        description="The model of the authenticator, by its own word; zeros if it does not say."
    )
    transports: list[str]
    user_verified: bool = Field(
        description="Whether the authenticator verifies its owner. Else it is one factor."
    )
    discoverable: bool | None = Field(
        description="Whether it is found without a name; null if the browser did not say."
    )
    backup_eligible: bool = Field(description="Whether it may be on several devices.")
    backed_up: bool = Field(description="Whether it is, as far as was last seen.")
    created_at: datetime
    last_used_at: datetime | None


class PasskeyList(Output):
    """One's passkeys, the oldest first, and what `PublicKeyCredential.signalAllAcceptedCredentials()` needs besides."""

    items: list[PasskeyOut]
    rp_id: str
    user_handle: str | None = Field(description="What stands for the person on authenticators. In base64url.")
