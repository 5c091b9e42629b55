"""What can go wrong at the door."""

from typing import Any

from gatepost.core.errors import Forbidden, Invalid

__all__ = [
    "AskedElsewhere",
    "EmailUnverified",
    "FlowInvalid",
    "InvalidCredentials",
    "MethodNotHere",
    "MethodOff",
    "MfaRequired",
    "ParameterMissing",
    "StepNotAsked",
    "UnsupportedGrantType",
]


class InvalidCredentials(Invalid):
    """Wrong address, wrong password, no such account, disabled account: one answer for all (RFC 6749, 5.2)."""

    code = "invalid-credentials"
    sentence = "Incorrect credentials"
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(error="invalid_grant")


class EmailUnverified(Forbidden):
    """The proof was right, and the installation lets in only people whose address is verified."""

    code = "email-unverified"
    sentence = "Verify your e-mail address first."
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(error="access_denied")


class FlowInvalid(Invalid):
    """The flow is unknown, over, expired, or was begun elsewhere: one answer for all."""

    code = "login-flow-invalid"
    sentence = "This sign-in cannot go on. Begin anew."
    # A flow that has seen too many wrong proofs ends, and that must stay.
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(field="flow", error="invalid_grant")


class MfaRequired(Forbidden):
    """What was shown is right and not enough: the sign-in goes on in a flow. `next` is what would do as its next step.

    The second factor is asked for by these names; no flow where somebody is signed in already.
    """

    code = "mfa-required"
    sentence = "A further step is needed to sign in. `next` says which would do."
    # The flow has begun.
    keep_changes = True

    def __init__(self, methods: tuple[str, ...], **flow: Any) -> None:
        super().__init__(error="mfa_required", next=[*methods], **flow)


class StepNotAsked(Forbidden):
    """The sign-in under way does not wait for this step: it comes too early, or is not what is missing."""

    code = "step-not-asked"
    sentence = "This sign-in does not wait for that step."

    def __init__(self) -> None:
        super().__init__(field="method")


class MethodOff(Forbidden):
    """This installation lets nobody in by this method."""

    code = "sign-in-method-off"
    sentence = "Signing in by mail is switched off here (GATEPOST_LOGIN__MAIL)."

    def __init__(self) -> None:
        super().__init__(field="method")


class MethodNotHere(Invalid):
    """The grant that goes on takes no step with this method."""

    code = "method-not-here"
    sentence = (
        "This grant takes `totp`, `recovery_code` and `passkey`. Any other step is for POST /login/proof."
    )

    def __init__(self) -> None:
        super().__init__(field="method", error="invalid_request")


class AskedElsewhere(Forbidden):
    """The link was asked for by another client. Nobody is signed in as somebody without having been told as whom."""

    code = "asked-elsewhere"
    sentence = (
        "This link was asked for elsewhere. Ask the person whether to sign in here, then send `elsewhere`."
    )

    def __init__(self, email: str) -> None:
        super().__init__(field="elsewhere", email=email)


class UnsupportedGrantType(Invalid):
    """The token endpoint does not know this grant (RFC 6749, section 5.2)."""

    code = "unsupported-grant-type"
    sentence = (
        "Use grant_type=password, grant_type=refresh_token or "
        "grant_type=urn:gatepost:params:oauth:grant-type:mfa."
    )

    def __init__(self) -> None:
        super().__init__(field="grant_type", error="unsupported_grant_type")


class ParameterMissing(Invalid):
    """The grant needs a parameter that was not sent (RFC 6749, section 5.2)."""

    code = "parameter-missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"The parameter {name} is required.", field=name, error="invalid_request")
