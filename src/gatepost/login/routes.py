"""The token endpoint for first-party applications, sessions of browsers, sign-ins in steps, and signing out."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import Example
from pydantic import ValidationError

from gatepost.core.http.cookies import CSRF_HEADER, Cookies
from gatepost.core.http.deps import CallerHere, client_info, house, room
from gatepost.core.http.forms import read_form
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.core.principal import Principal
from gatepost.login.by_mail import SignInMails
from gatepost.login.errors import ParameterMissing, UnsupportedGrantType
from gatepost.login.policy import StepNeeded
from gatepost.login.schemas import (
    BrowserLogin,
    Credentials,
    FlowBegun,
    FlowStep,
    NewFlow,
    PasswordAgain,
    ProofStep,
    SessionState,
    SignedIn,
    SignInMail,
    TokenForm,
)
from gatepost.login.service import Admission, Login
from gatepost.login.ways import BROWSER, TOKEN_ENDPOINT
from gatepost.tokens import SessionOver, TokenInvalid, TokenResponse, Tokens
from gatepost.users import UserOut

__all__ = ["api", "issue_token"]

api = APIRouter(tags=["sign-in"], route_class=StrictJsonRoute)

LoginHere = Annotated[Login, room(Login)]
SignInMailsHere = Annotated[SignInMails, room(SignInMails)]

_FORM = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": TokenForm.model_json_schema()}},
    }
}


_IN_A_FLOW = {"flow": "gp_lf_…", "binding": "gp_lb_…"}
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
}


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


async def token_form(request: Request) -> TokenForm:
    """Read the form of a token request. Raises RequestValidationError, FormInvalid."""
    try:
        return TokenForm.model_validate(await read_form(request))
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from None


async def issue_token(request: Request) -> Response:
    """Answer `POST /users/token` without the framework's machinery; the answer leaves after the commit."""
    form = await token_form(request)
    home = house(request)
    key = await home.credentials.sender_key(request)
    async with home.work(client=client_info(request)) as work:
        granted = await _grant(form, key, partial(home.build, Login, work), partial(home.build, Tokens, work))
    return Response(granted.model_dump_json(), 200, None, "application/json")


async def _grant(
    form: TokenForm, key: str | None, login: Callable[[], Login], tokens: Callable[[], Tokens]
) -> TokenResponse:
    if form.grant_type == "refresh_token":
        return await tokens().refresh(_given(form.refresh_token, "refresh_token"), form.scope, key)
    if form.grant_type != "password":
        raise UnsupportedGrantType
    given = Credentials(
        username=_given(form.username, "username"), password=_given(form.password, "password")
    )
    admitted = await login().with_password(TOKEN_ENDPOINT, given, form.scope, key_thumbprint=key)
    return _tokens(admitted)


_GRANTED = {200: {"model": TokenResponse}}


@api.post(
    "/users/token",
    openapi_extra=_FORM,
    responses={**_GRANTED, **responses(400, 403, 413, 415, 422, 429, 503)},
)
async def token(request: Request) -> Response:
    """Sign in with a password, or exchange a refresh token (RFC 6749, sections 4.3 and 6).

    With a proof in the header DPoP (RFC 9449) the tokens are bound to the key that made it.
    """
    return await issue_token(request)


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise ParameterMissing(name)
    return value


def _tokens(admitted: Admission) -> TokenResponse:
    if admitted.tokens is None:
        raise RuntimeError("this way in ends with tokens")
    return admitted.tokens


@api.post("/users/logout", status_code=204, responses=responses(401, 403, 429, 503))
async def sign_out(me: CallerHere, login: LoginHere) -> Response:
    """End the session that the token speaks for, on every process at once."""
    await login.sign_out(me.session_id)
    return Response(status_code=204)


# ── browsers ─────────────────────────────────────────────────────────────────────────────────────────


@api.post("/session", responses=responses(400, 403, 413, 415, 422, 429, 503), tags=["browser"])
async def sign_in_browser(
    request: Request, response: Response, given: BrowserLogin, login: LoginHere
) -> SignedIn:
    """Sign in, and keep the session in a cookie of this browser. One that it had before ends."""
    _cookies(request).need_page(request)
    here = await _signed_in_here(request)
    admitted = await login.with_password(BROWSER, given, here=here, remember=given.remember)
    return _signed_in(request, response, admitted)


@api.get("/session", responses=responses(429, 503), tags=["browser"])
async def read_session(request: Request, response: Response) -> SessionState:
    """Tell who is signed in in this browser. The CSRF token of the session is in the header X-CSRF-Token."""
    cookies = _cookies(request)
    try:
        found = await house(request).browser_session(request)
    except TokenInvalid as error:
        cookies.clear(response, cookies.session_name)
        reason = error.extensions.get("reason") if isinstance(error, SessionOver) else None
        return SessionState(signed_in=False, reason=reason)
    if found is None:
        return SessionState(signed_in=False)
    response.headers[CSRF_HEADER] = cookies.csrf_token(request.cookies[cookies.session_name])
    user = UserOut.model_validate(found.caller.profile)
    return SessionState(signed_in=True, user=user, session_id=found.principal.session_id)


@api.delete("/session", status_code=204, responses=responses(403, 429, 503), tags=["browser"])
async def sign_out_browser(request: Request, login: LoginHere) -> Response:
    """Sign out in this browser. A session that is over already is no error."""
    cookies = _cookies(request)
    answer = Response(status_code=204)
    try:
        found = await house(request).browser_session(request)
    except TokenInvalid:
        found = None
    if found is not None:
        cookies.need_consent(request, request.cookies[cookies.session_name])
        await login.sign_out(found.principal.session_id)
    cookies.clear(answer, cookies.session_name)
    return answer


# ── in steps ─────────────────────────────────────────────────────────────────────────────────────────


@api.post("/login", responses=responses(400, 403, 413, 415, 422, 429, 503))
async def begin_login(request: Request, response: Response, wanted: NewFlow, login: LoginHere) -> FlowBegun:
    """Begin a sign-in of several steps. Only the client that begins it can go on with it."""
    cookies, begun = _cookies(request), None
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


@api.post(
    "/login/mail",
    status_code=202,
    response_class=Response,
    responses=responses(400, 403, 413, 415, 422, 429, 503),
)
async def mail_login(request: Request, wanted: SignInMail, mails: SignInMailsHere) -> Response:
    """Get a mail with a link and a code to sign in by. The answer is the same whether the address has an account.

    The code works in this flow alone; so does the link, unless the person says that they want to sign in elsewhere.
    """
    cookies = _cookies(request)
    cookies.need_page(request)
    await mails.ask(wanted.flow, wanted.binding or request.cookies.get(cookies.flow_name), wanted.email)
    return Response(status_code=202)


@api.post("/login/proof", responses=responses(400, 403, 413, 415, 422, 429, 503))
async def prove(
    request: Request,
    response: Response,
    given: Annotated[ProofStep, Body(openapi_examples=_STEPS)],
    login: LoginHere,
) -> FlowStep:
    """Take a step of a sign-in: the answer is a session, or what is missing still."""
    cookies = _cookies(request)
    cookies.need_page(request)
    binding = given.binding or request.cookies.get(cookies.flow_name)
    key = await house(request).credentials.sender_key(request)
    here = await _signed_in_here(request)
    outcome = await login.prove(given.flow, binding, given, here=here, key_thumbprint=key)
    if isinstance(outcome, StepNeeded):
        return FlowStep(complete=False, next=[*outcome.methods])
    if outcome.tokens is not None:
        return FlowStep(complete=True, next=[], tokens=outcome.tokens)
    cookies.clear(response, cookies.flow_name)
    return FlowStep(complete=True, next=[], session=_signed_in(request, response, outcome))


@api.post("/users/me/reauthenticate", responses=responses(400, 401, 403, 413, 415, 422, 429, 503))
async def reauthenticate(
    me: CallerHere, request: Request, response: Response, given: PasswordAgain, login: LoginHere
) -> FlowStep:
    """Show that it is still oneself (RFC 9470). A new session takes the place of the one that asks."""
    found = await house(request).browser_session(request) if me.carrier == "cookie" else None
    remember = found.caller.profile.remember if found else True
    admitted = await login.reauthenticate(me, given.password, remember=remember)
    if admitted.tokens is not None:
        return FlowStep(complete=True, next=[], tokens=admitted.tokens)
    return FlowStep(complete=True, next=[], session=_signed_in(request, response, admitted))


def _cookies(request: Request) -> Cookies:
    return house(request).cookies


async def _signed_in_here(request: Request) -> Principal | None:
    """Return whose live session this browser has, if any; one that is over is no reason to refuse a new one."""
    try:
        found = await house(request).browser_session(request)
    except TokenInvalid:
        return None
    return found.principal if found else None


def _signed_in(request: Request, response: Response, admitted: Admission) -> SignedIn:
    home, cookie = house(request), admitted.session.cookie
    if cookie is None:
        raise RuntimeError("this way in ends with a cookie")
    seconds = int(home.settings.sessions.lifetime.total_seconds()) if admitted.session.remember else None
    home.cookies.set(response, home.cookies.session_name, cookie, seconds)
    user = UserOut.model_validate(admitted.profile)
    return SignedIn(user=user, csrf_token=home.cookies.csrf_token(cookie))
