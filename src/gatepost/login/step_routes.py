"""Sign-ins in steps over HTTP, and showing that it is still oneself."""

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.openapi.models import Example

from gatepost.core.http.deps import CallerHere, house, room
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.login.answers import cookies_of, signed_in
from gatepost.login.browser import signed_in_here
from gatepost.login.by_mail import SignInMails
from gatepost.login.in_flow import FlowSteps
from gatepost.login.policy import StepNeeded
from gatepost.login.schemas import (
    FactorResetBegun,
    FlowBegun,
    FlowStep,
    NewApp,
    NewFlow,
    ProofStep,
    ProvenAgain,
    SignInMail,
    Step,
)
from gatepost.login.service import Admission, Login
from gatepost.mfa import TotpEnrolment
from gatepost.passkeys import CreationOptions, RequestOptions

__all__ = ["steps"]

steps = APIRouter(tags=["sign-in"], route_class=StrictJsonRoute)

LoginHere = Annotated[Login, room(Login)]
SignInMailsHere = Annotated[SignInMails, room(SignInMails)]
FlowStepsHere = Annotated[FlowSteps, room(FlowSteps)]

_IN_A_FLOW = {"flow": "gp_lf_…", "binding": "gp_lb_…"}
_SIGNED = {
    "id": "zK3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u",
    "rawId": "zK3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0…", "authenticatorData": "SZYN…", "signature": "MEUC…"},
}
_STEPS: dict[str, Example] = {
    "password": {
        "summary": "With a password",
        "value": {
            **_IN_A_FLOW,
            "method": "password",
            "username": "ada@example.com",
            "password": "tangerine-lighthouse-42",
        },
    },
    "code": {
        "summary": "With the code from a mail",
        "value": {**_IN_A_FLOW, "method": "mail", "email": "ada@example.com", "code": "402917"},
    },
    "link": {
        "summary": "With the link from a mail",
        "value": {**_IN_A_FLOW, "method": "mail", "token": "gp_ml_…"},
    },
    "passkey": {
        "summary": "With a passkey, first or second",
        "value": {**_IN_A_FLOW, "method": "passkey", "credential": _SIGNED},
    },
    "totp": {
        "summary": "Second, with a code of an app; and remember this device",
        "value": {**_IN_A_FLOW, "method": "totp", "code": "402917", "remember_device": True},
    },
    "recovery_code": {
        "summary": "Second, with a recovery code",
        "value": {**_IN_A_FLOW, "method": "recovery_code", "code": "7Q2M-XR4K-0VBD-9HWT-C3NE-58AJ"},
    },
}


@steps.post("/login", responses=responses(400, 403, 413, 415, 422, 429, 503))
async def begin_login(request: Request, response: Response, wanted: NewFlow, login: LoginHere) -> FlowBegun:
    """Begin a sign-in of several steps. Only the client that begins it can go on with it."""
    cookies = cookies_of(request)
    if wanted.carrier == "cookie":
        cookies.need_page(request)
    begun = await login.begin(wanted.carrier, wanted.scope, remember=wanted.remember)
    binding: str | None = begun.flow.binding
    if wanted.carrier == "cookie":
        cookies.set(response, cookies.flow_name, begun.flow.binding, begun.flow.expires_in)
        binding = None
    return FlowBegun(
        flow=begun.flow.handle,
        binding=binding,
        expires_in=begun.flow.expires_in,
        next=[*begun.next.methods],
    )


@steps.post(
    "/login/mail",
    status_code=202,
    response_class=Response,
    responses=responses(400, 403, 413, 415, 422, 429, 503),
)
async def mail_login(request: Request, wanted: SignInMail, mails: SignInMailsHere) -> Response:
    """Get a mail with a link and a code to sign in by. The answer is the same whether the address has an account.

    The code works in this flow alone; so does the link, unless the person says that they want to sign in elsewhere.
    """
    await mails.ask(wanted.flow, _binding(request, wanted), wanted.email)
    return Response(status_code=202)


@steps.post("/login/passkey/options", responses=responses(400, 403, 413, 415, 422, 429, 503))
async def passkey_login(request: Request, wanted: Step, flows: FlowStepsHere) -> RequestOptions:
    """Get what the browser needs to ask for a passkey. After the first step it lists the person's."""
    return await flows.passkey_options(wanted.flow, _binding(request, wanted))


@steps.post("/login/proof", responses=responses(400, 403, 413, 415, 422, 429, 503))
async def prove(
    request: Request,
    response: Response,
    given: Annotated[ProofStep, Body(openapi_examples=_STEPS)],
    login: LoginHere,
) -> FlowStep:
    """Take a step of a sign-in: the answer is a session, or what is missing still."""
    cookies = cookies_of(request)
    binding = _binding(request, given)
    key = await house(request).credentials.sender_key(request)
    here = await signed_in_here(house(request), request)
    if given.device_token is None:
        given = given.model_copy(update={"device_token": request.cookies.get(cookies.device_name)})
    outcome = await login.prove(given.flow, binding, given, here=here, key_thumbprint=key)
    if isinstance(outcome, StepNeeded):
        return FlowStep(complete=False, next=[*outcome.methods])
    if outcome.tokens is None:
        cookies.clear(response, cookies.flow_name)
    return _complete(request, response, outcome)


@steps.post("/login/enrol/totp", responses=responses(400, 403, 409, 413, 415, 422, 429, 503))
async def enrol_totp(request: Request, wanted: NewApp, flows: FlowStepsHere) -> TotpEnrolment:
    """Begin to add an authenticator app, where one must have a second factor and has none (`enrol_totp`)."""
    return await flows.begin_totp(wanted.flow, _binding(request, wanted), wanted.name)


@steps.post("/login/enrol/passkey", responses=responses(400, 403, 409, 413, 415, 422, 429, 503))
async def enrol_passkey(request: Request, wanted: Step, flows: FlowStepsHere) -> CreationOptions:
    """Get what the browser needs to make a passkey, where one must have a second factor and has none."""
    return await flows.creation_options(wanted.flow, _binding(request, wanted))


@steps.post(
    "/login/factors/reset", status_code=202, responses=responses(400, 403, 409, 413, 415, 422, 429, 503)
)
async def lost_factors(request: Request, wanted: Step, flows: FlowStepsHere) -> FactorResetBegun:
    """Have one's second factors removed after a while, if they are lost. The person is told, and can object.

    It signs nobody in.
    """
    return FactorResetBegun(due_at=await flows.reset_factors(wanted.flow, _binding(request, wanted)))


@steps.post("/users/me/reauthenticate/options", responses=responses(401, 403, 429, 503))
async def passkey_again(me: CallerHere, flows: FlowStepsHere) -> RequestOptions:
    """Get what the browser needs to ask for a passkey of one's own, to show that it is still oneself."""
    return await flows.passkey_options_again(me)


@steps.post("/users/me/reauthenticate", responses=responses(400, 401, 403, 413, 415, 422, 429, 503))
async def reauthenticate(
    me: CallerHere, request: Request, response: Response, given: ProvenAgain, login: LoginHere
) -> FlowStep:
    """Show that it is still oneself (RFC 9470). A new session takes the place of the one that asks.

    Whoever has a second factor shows it along with the password: 403 with `mfa_required` says which would do.
    """
    found = await house(request).browser_session(request) if me.carrier == "cookie" else None
    remember = found.caller.profile.remember if found else True
    return _complete(request, response, await login.reauthenticate(me, given, remember=remember))


def _complete(request: Request, response: Response, admitted: Admission) -> FlowStep:
    codes = admitted.recovery_codes
    if admitted.tokens is not None:
        told = {"device_token": admitted.device, "recovery_codes": codes}
        return FlowStep(complete=True, next=[], tokens=admitted.tokens, **told)
    session = signed_in(request, response, admitted)
    return FlowStep(complete=True, next=[], session=session, recovery_codes=codes)


def _binding(request: Request, step: Step) -> str | None:
    """Return the secret of whoever sends a step. Raises CsrfRefused for a page that must not use our cookies."""
    cookies = cookies_of(request)
    cookies.need_page(request)
    return step.binding or request.cookies.get(cookies.flow_name)
