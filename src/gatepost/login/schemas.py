"""What the door takes, and what it answers."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gatepost.core.principal import Carrier
from gatepost.core.schemas import Input, Label, Output
from gatepost.passkeys import AssertionResponse, NewPasskey
from gatepost.passwords import GivenPassword
from gatepost.proofs import ShownProof
from gatepost.tokens import TokenResponse
from gatepost.users import EmailAddress, UserOut

__all__ = [
    "BrowserLogin",
    "CodeStep",
    "Credentials",
    "EnrolPasskeyStep",
    "EnrolTotpStep",
    "FactorResetBegun",
    "FlowBegun",
    "FlowStep",
    "Granted",
    "MailStep",
    "NewApp",
    "NewFlow",
    "PasskeyStep",
    "PasswordStep",
    "ProofStep",
    "ProvenAgain",
    "RecoveryCodeStep",
    "RememberedDevice",
    "SessionState",
    "ShownCredential",
    "SignInMail",
    "SignedIn",
    "Step",
    "TokenForm",
    "TotpStep",
]

GivenCode = Annotated[str, Field(min_length=1, max_length=64, examples=["402917"])]
DeviceToken = Annotated[
    str | None,
    Field(
        None,
        max_length=200,
        description="As it was given when this device was remembered; a browser's is in a cookie. It stands for the "
        "second factor at a sign-in, and nowhere else.",
    ),
]


class TokenForm(Input, extra="ignore"):  # RFC 6749, 3.2: unrecognized parameters are ignored
    """The parameters of a token request (RFC 6749, sections 4.3.2, 4.5 and 6)."""

    grant_type: str = Field(
        "password",
        max_length=100,
        description="`password`, `refresh_token`, or `urn:gatepost:params:oauth:grant-type:mfa`, which goes on after "
        "`mfa_required`.",
    )
    username: str | None = Field(None, max_length=320, description="The e-mail address.")
    password: GivenPassword | None = None
    refresh_token: str | None = Field(None, max_length=200)
    scope: str | None = Field(None, max_length=1000)
    flow: str | None = Field(None, max_length=200, description="Of the answer `mfa_required`.")
    binding: str | None = Field(None, max_length=200, description="Of the same answer.")
    method: str | None = Field(None, max_length=40, description="One of `next` of the same answer.")
    code: str | None = Field(None, max_length=64, description="For `totp` and `recovery_code`.")
    credential: str | None = Field(
        None,
        max_length=24_576,
        pattern=r"^\{",
        description="For `passkey`: what the browser returned, as JSON.",
    )
    device_token: DeviceToken
    remember_device: bool = Field(False, description="Ask for no second factor on this device for a while.")


class Credentials(Input):
    """An address, and the password of whoever has it."""

    username: str = Field(max_length=320, description="The e-mail address.")
    password: GivenPassword


class BrowserLogin(Credentials):
    """A sign-in whose session the browser keeps in a cookie."""

    remember: bool = Field(True, description="Keep the session when the browser is closed.")


class ShownCredential(Input):
    """A passkey."""

    credential: AssertionResponse = Field(
        description="What `navigator.credentials.get()` returned, as its `toJSON()` has it."
    )


class ProvenAgain(Input):
    """Somebody who is signed in shows that it is still them: a password or a passkey, and a code if one is needed."""

    password: GivenPassword | None = None
    credential: AssertionResponse | None = Field(
        None, description="A passkey, for the options of `POST /users/me/reauthenticate/options`."
    )
    code: GivenCode | None = Field(None, description="Of an authenticator app.")
    recovery_code: GivenCode | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.password is None and self.credential is None:
            raise PydanticCustomError("missing", "Give a password or a passkey")
        if self.code is not None and self.recovery_code is not None:
            raise PydanticCustomError("one_code", "Give one code")
        return self


class NewFlow(Input):
    """A sign-in in several steps."""

    carrier: Carrier = Field("bearer", description="What it is to end with: `bearer` tokens, or a `cookie`.")
    scope: str | None = Field(None, max_length=1000)
    remember: bool = Field(True, description="Of a cookie: keep the session when the browser is closed.")


class Step(Input):
    """What every step of a flow has: which flow it is of, and that it comes from the client that began it."""

    flow: str = Field(max_length=200)
    binding: str | None = Field(
        None, max_length=200, description="As it was given with the flow; a browser's is in a cookie."
    )


class RememberedDevice(Input):
    """Where somebody signs in: on a device that is remembered, or is to be."""

    device_token: DeviceToken
    remember_device: bool = Field(
        False,
        description="If a second factor was shown in this sign-in, do not ask for one on this device for a while.",
    )


class EvidenceStep(Step, RememberedDevice):
    """What every step with evidence has."""


class PasswordStep(EvidenceStep, Credentials):
    """A step with a password."""

    method: Literal["password"]


class MailStep(EvidenceStep, ShownProof):
    """A step with the code from a mail, or with the link."""

    method: Literal["mail"]
    elsewhere: bool = Field(
        False,
        description="The person has been told as whom they sign in, and wants to do so here, although the link was "
        "asked for elsewhere. A code works only where it was asked for.",
    )


class PasskeyStep(EvidenceStep, ShownCredential):
    """A step with a passkey, for the options of `POST /login/passkey/options`."""

    method: Literal["passkey"]


class TotpStep(EvidenceStep):
    """A second step with a code of an authenticator app."""

    method: Literal["totp"]
    code: GivenCode


class RecoveryCodeStep(EvidenceStep):
    """A second step with a recovery code."""

    method: Literal["recovery_code"]
    code: GivenCode


CodeStep = TotpStep | RecoveryCodeStep


class EnrolTotpStep(EvidenceStep):
    """A last step with the first code of the app that `POST /login/enrol/totp` began to add."""

    method: Literal["enrol_totp"]
    id: UUID
    code: GivenCode


class EnrolPasskeyStep(EvidenceStep, NewPasskey):
    """A last step with the passkey that a browser made, for the options of `POST /login/enrol/passkey`."""

    method: Literal["enrol_passkey"]


def _method(step: Any) -> str | None:
    named = step.get("method") if isinstance(step, dict) else getattr(step, "method", None)
    # No field begins so: where an input is refused, its kind is not taken for one.
    return f":{named}" if isinstance(named, str) else None


ProofStep = Annotated[
    Annotated[PasswordStep, Tag(":password")]
    | Annotated[MailStep, Tag(":mail")]
    | Annotated[PasskeyStep, Tag(":passkey")]
    | Annotated[TotpStep, Tag(":totp")]
    | Annotated[RecoveryCodeStep, Tag(":recovery_code")]
    | Annotated[EnrolTotpStep, Tag(":enrol_totp")]
    | Annotated[EnrolPasskeyStep, Tag(":enrol_passkey")],
    # By a function: Pydantic's own way allows no check of the text of that field.
    Discriminator(
        _method,
        custom_error_type="method_unknown",
        custom_error_message="Give a method that there is",
        custom_error_context={"field": "method"},
    ),
]
"""A step of a flow. A new method is one more of these, and a prover."""


class SignInMail(Step):
    """Who wants to sign in by mail, in which flow."""

    email: EmailAddress


class NewApp(Step):
    """An authenticator app that is to be added on the way in."""

    name: Label | None = Field(None, examples=["Phone"])


class FactorResetBegun(Output):
    """The second factors are going to be removed."""

    due_at: datetime = Field(description="When, unless somebody objects.")


class FlowBegun(Output):
    """A flow, and what would do as its first step."""

    flow: str = Field(description="Names the sign-in; it is no secret.")
    binding: str | None = Field(
        description="Keep it, and send it with each step: nobody else can go on. Null where a cookie holds it."
    )
    expires_in: int = Field(description="Life of the flow, in seconds.")
    next: list[str] = Field(description="The methods of which one would do as the next step.")


class Granted(TokenResponse):
    """What the token endpoint answers."""

    device_token: str | None = Field(
        None, description="Send it at the next sign-in; only if this device was to be remembered."
    )


class SignedIn(Output):
    """A session that travels in a cookie."""

    user: UserOut
    csrf_token: str = Field(description="Send it as X-CSRF-Token with every request that changes something.")


class FlowStep(Output):
    """Where a flow stands after a step: over, with tokens or a session in a cookie, or waiting for the next."""

    complete: bool
    next: list[str] = Field(
        description="The methods of which one would do as the next step; empty if complete."
    )
    tokens: TokenResponse | None = None
    session: SignedIn | None = None
    recovery_codes: list[str] | None = Field(
        None, description="Recovery codes, if this step added one's first factor: they are shown this once."
    )
    device_token: str | None = Field(
        None,
        description="Send it at the next sign-in, if this device was to be remembered; a browser has it in a cookie.",
    )


class SessionState(Output):
    """Whether somebody is signed in, and who. The CSRF token is in the header X-CSRF-Token."""

    signed_in: bool
    user: UserOut | None = None
    session_id: UUID | None = None
    reason: str | None = Field(None, description="Why the session that the cookie names is over.")
