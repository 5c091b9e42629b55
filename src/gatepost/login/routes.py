"""The token endpoint for first-party applications, sessions of browsers, and signing out."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from gatepost.core.http.cookies import CSRF_HEADER
from gatepost.core.http.deps import CallerHere, client_info, house, room
from gatepost.core.http.forms import read_form
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import Problems, responses
from gatepost.login.answers import cookies_of, signed_in
from gatepost.login.browser import signed_in_here
from gatepost.login.errors import MethodNotHere, MfaRequired, ParameterMissing, UnsupportedGrantType
from gatepost.login.policy import StepNeeded
from gatepost.login.schemas import (
    BrowserLogin,
    Credentials,
    Granted,
    ProofStep,
    RememberedDevice,
    SessionState,
    SignedIn,
    TokenForm,
)
from gatepost.login.service import Admission, Login, UnderWay
from gatepost.login.ways import BROWSER, TOKEN_ENDPOINT
from gatepost.tokens import MFA_GRANT, SessionOver, TokenInvalid, TokenResponse, Tokens
from gatepost.users import UserOut

__all__ = ["api", "issue_token"]

api = APIRouter(tags=["sign-in"], route_class=StrictJsonRoute)

LoginHere = Annotated[Login, room(Login)]

_SECOND_STEPS = frozenset({"totp", "recovery_code", "passkey"})
_STEP: TypeAdapter[Any] = TypeAdapter(ProofStep)

_FORM = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": TokenForm.model_json_schema()}},
    }
}


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


async def token_form(request: Request) -> TokenForm:
    """Read the form of a token request. Raises RequestValidationError, FormInvalid."""
    form = await read_form(request)
    return _read(lambda: TokenForm.model_validate(form))


async def issue_token(request: Request) -> Response:
    """Answer `POST /users/token` without the framework's machinery; the answer leaves after the commit."""
    form = await token_form(request)
    home, client = house(request), client_info(request)
    if form.grant_type == "password":
        # The prover would refuse, too. In a flood what is made to ask it is most of what a refusal costs.
        home.hashing.expect(client.network)
    key = await home.credentials.sender_key(request)
    async with home.work(client=client) as work:
        granted = await _grant(form, key, partial(home.build, Login, work), partial(home.build, Tokens, work))
    return Response(granted.model_dump_json(exclude_none=True), 200, None, "application/json")


async def _grant(
    form: TokenForm, key: str | None, login: Callable[[], Login], tokens: Callable[[], Tokens]
) -> TokenResponse:
    if form.grant_type == "refresh_token":
        return await tokens().refresh(_given(form.refresh_token, "refresh_token"), form.scope, key)
    if form.grant_type == MFA_GRANT:
        step = _second_step(form)
        return _tokens(
            await login().prove(step.flow, step.binding, step, key_thumbprint=key, carrier="bearer")
        )
    if form.grant_type != "password":
        raise UnsupportedGrantType
    given = Credentials(
        username=_given(form.username, "username"), password=_given(form.password, "password")
    )
    device = RememberedDevice(device_token=form.device_token)
    return _tokens(
        await login().with_password(TOKEN_ENDPOINT, given, form.scope, key_thumbprint=key, device=device)
    )


def _second_step(form: TokenForm) -> Any:
    """Return the step that the form takes. Raises ParameterMissing, MethodNotHere, RequestValidationError."""
    step: dict[str, Any] = {
        "flow": _given(form.flow, "flow"),
        "binding": _given(form.binding, "binding"),
        "method": _given(form.method, "method"),
        "device_token": form.device_token,
        "remember_device": form.remember_device,
    }
    if form.method not in _SECOND_STEPS:
        raise MethodNotHere
    if form.method == "passkey":
        step["credential"] = _from_json(_given(form.credential, "credential"))
    else:
        step["code"] = _given(form.code, "code")
    return _read(lambda: _STEP.validate_python(step))


def _from_json(text: str) -> Any:
    """Return what the text says; what is no JSON as it is, to be refused by the field's own check."""
    try:
        return from_json(text)
    except ValueError:
        return text


def _read[T](make: Callable[[], T]) -> T:
    try:
        return make()
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from None


_GRANTED = {200: {"model": Granted}}


@api.post(
    "/users/token",
    openapi_extra=_FORM,
    responses={**_GRANTED, **responses(400, 403, 413, 415, 422, 429, 503)},
)
async def token(request: Request) -> Response:
    """Sign in with a password, or exchange a refresh token (RFC 6749, sections 4.3 and 6).

    Whoever needs a second factor gets 403 with `mfa_required`, and goes on with the grant that the form names, or at
    `POST /login/proof`.

    With a proof in the header DPoP (RFC 9449) the tokens are bound to the key that made it.
    """
    return await issue_token(request)


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise ParameterMissing(name)
    return value


def _tokens(outcome: Admission | UnderWay | StepNeeded) -> TokenResponse:
    if isinstance(outcome, UnderWay):
        raise _interrupted(outcome, binding=outcome.flow.binding)
    if isinstance(outcome, StepNeeded):
        raise MfaRequired(outcome.methods)
    if outcome.tokens is None:
        raise RuntimeError("this way in ends with tokens")
    return Granted(**outcome.tokens.model_dump(), device_token=outcome.device)


def _interrupted(outcome: UnderWay, **binding: str | None) -> MfaRequired:
    flow = outcome.flow
    return MfaRequired(outcome.next.methods, flow=flow.handle, expires_in=flow.expires_in, **binding)


@api.post("/users/logout", status_code=204, responses=responses(401, 403, 429, 503))
async def sign_out(me: CallerHere, login: LoginHere) -> Response:
    """End the session that the token speaks for, on every process at once."""
    await login.sign_out(me.session_id)
    return Response(status_code=204)


# ── browsers ─────────────────────────────────────────────────────────────────────────────────────────


@api.post(
    "/session",
    response_model=SignedIn,
    responses=responses(400, 403, 413, 415, 422, 429, 503),
    tags=["browser"],
)
async def sign_in_browser(request: Request, response: Response, given: BrowserLogin, login: LoginHere) -> Any:
    """Sign in, and keep the session in a cookie of this browser. One that it had before ends.

    Whoever needs a second factor gets 403 with `mfa_required`, and goes on at `POST /login/proof`.
    """
    cookies = cookies_of(request)
    cookies.need_page(request)
    here = await signed_in_here(house(request), request)
    device = RememberedDevice().model_copy(update={"device_token": request.cookies.get(cookies.device_name)})
    outcome = await login.with_password(BROWSER, given, here=here, remember=given.remember, device=device)
    if isinstance(outcome, Admission):
        return signed_in(request, response, outcome)
    # Returned, not raised: it sets a cookie, and what has begun is kept.
    answer = await Problems(house(request).log).on_domain_error(request, _interrupted(outcome, binding=None))
    cookies.set(answer, cookies.flow_name, outcome.flow.binding, outcome.flow.expires_in)
    return answer


@api.get("/session", responses=responses(429, 503), tags=["browser"])
async def read_session(request: Request, response: Response) -> SessionState:
    """Tell who is signed in in this browser. The CSRF token of the session is in the header X-CSRF-Token."""
    cookies = cookies_of(request)
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
    cookies = cookies_of(request)
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
