"""What the door takes, and what it answers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Discriminator, Field, Tag

from gatepost.core.principal import Carrier
from gatepost.core.schemas import Input, Output
from gatepost.passwords import GivenPassword
from gatepost.proofs import ShownProof
from gatepost.tokens import TokenResponse
from gatepost.users import EmailAddress, UserOut

__all__ = [
    "BrowserLogin",
    "Credentials",
    "FlowBegun",
    "FlowStep",
    "MailStep",
    "NewFlow",
    "PasswordAgain",
    "PasswordStep",
    "ProofStep",
    "SessionState",
    "SignInMail",
    "SignedIn",
    "TokenForm",
]


class TokenForm(Input, extra="ignore"):  # RFC 6749, 3.2: unrecognized parameters are ignored
    """The parameters of a token request (RFC 6749, sections 4.3.2 and 6)."""

    grant_type: str = Field("password", max_length=100, description="`password` or `refresh_token`.")
    username: str | None = Field(None, max_length=320, description="The e-mail address.")
    password: GivenPassword | None = None
    refresh_token: str | None = Field(None, max_length=200)
    scope: str | None = Field(None, max_length=1000)


class Credentials(Input):
    """An address, and the password of whoever has it."""

    username: str = Field(max_length=320, description="The e-mail address.")
    password: GivenPassword


class BrowserLogin(Credentials):
    """A sign-in whose session the browser keeps in a cookie."""

    remember: bool = Field(True, description="Keep the session when the browser is closed.")


class PasswordAgain(Input):
    """The person who is signed in shows that it is still them."""

    password: GivenPassword


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


class PasswordStep(Step, Credentials):
    """A step with a password."""

    method: Literal["password"]


class MailStep(Step, ShownProof):
    """A step with the code from a mail, or with the link."""

    method: Literal["mail"]
    elsewhere: bool = Field(
        False,
        description="The person has been told as whom they sign in, and wants to do so here, although the link was "
        "asked for elsewhere. A code works only where it was asked for.",
    )


def _method(step: Any) -> str | None:
    named = step.get("method") if isinstance(step, dict) else getattr(step, "method", None)
    return named if isinstance(named, str) else None


ProofStep = Annotated[
    Annotated[PasswordStep, Tag("password")] | Annotated[MailStep, Tag("mail")],
    # By a function: Pydantic's own way allows no check of the text of that field.
    Discriminator(
        _method,
        custom_error_type="method_unknown",
        custom_error_message="Give a method that there is",
    ),
]
"""A step of a flow. A new method is one more of these, and a prover."""


class SignInMail(Step):
    """Who wants to sign in by mail, in which flow."""

    email: EmailAddress


class FlowBegun(Output):
    """A flow, and what would do as its first step."""

    flow: str = Field(description="Names the sign-in; it is no secret.")
    binding: str | None = Field(
        description="Keep it, and send it with each step: nobody else can go on. Null where a cookie holds it."
    )
    expires_in: int = Field(description="Life of the flow, in seconds.")
    next: list[str] = Field(description="The methods of which one would do as the next step.")


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


class SessionState(Output):
    """Whether somebody is signed in, and who. The CSRF token is in the header X-CSRF-Token."""

    signed_in: bool
    user: UserOut | None = None
    session_id: UUID | None = None
    reason: str | None = Field(None, description="Why the session that the cookie names is over.")
