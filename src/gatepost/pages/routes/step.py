"""The second step of a sign-in: a code, a recovery code, a passkey; and what there is for whoever has lost them."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response
from starlette.responses import JSONResponse

from gatepost.login import (
    FlowInvalid,
    FlowSteps,
    Login,
    PasskeyStep,
    PasswordStep,
    RecoveryCodeStep,
    TotpStep,
)
from gatepost.mfa import TotpDelayed
from gatepost.pages.routes.entry import ENROL, STEP, let_in, missing_steps, told_of_flow
from gatepost.pages.routes.journey import brought, digits_of, journey
from gatepost.pages.visit import REFUSALS, FormHere, Visit, VisitHere
from gatepost.passkeys import AssertionResponse

__all__ = ["pages"]

pages = journey()

_LOST = "/sign-in/lost"
Form = Mapping[str, str]


# ── the question for a passkey ───────────────────────────────────────────────────────────────────────


@pages.post("/sign-in/passkey/options")
async def options(visit: VisitHere, form: FormHere) -> Response:
    """Return what a script needs to ask for a passkey: in the flow of a page, or in one that begins with it.

    The secret of a new flow stays with the page, and not in a cookie: another tab may be in the midst of a sign-in.
    """
    flow = visit.request.query_params.get("flow")
    binding = visit.request.cookies.get(visit.home.cookies.flow_name)
    begun: dict[str, Any] = {}
    if flow is None:
        async with visit.work() as work:
            new = (await visit.home.build(Login, work).begin("cookie", remember="remember" in form)).flow
        flow, binding = new.handle, new.binding
        begun = {"flow": flow, "binding": binding}
    async with visit.work() as work:
        asked = await visit.home.build(FlowSteps, work).passkey_options(flow, binding)
    return JSONResponse({**begun, "publicKey": asked.model_dump(mode="json", by_alias=True)})


# ── the step ─────────────────────────────────────────────────────────────────────────────────────────


def _totp(told: dict[str, Any], form: Form) -> TotpStep:
    return TotpStep(**told, method="totp", code=digits_of(form))


def _recovery(told: dict[str, Any], form: Form) -> RecoveryCodeStep:
    return RecoveryCodeStep(**told, method="recovery_code", code=form.get("code", ""))


def _passkey(told: dict[str, Any], form: Form) -> PasskeyStep:
    return PasskeyStep(**told, method="passkey", credential=brought(form, AssertionResponse))


def _password(told: dict[str, Any], form: Form) -> PasswordStep:
    email, password = form.get("email", ""), form.get("password", "")
    return PasswordStep(**told, method="password", username=email, password=password)


STEPS: Mapping[str, tuple[Callable[[dict[str, Any], Form], Any], str]] = {
    "totp": (_totp, "code"),
    "recovery_code": (_recovery, "code"),
    "passkey": (_passkey, "passkey"),
    "password": (_password, ""),
}
"""What reads the form of each step, and the field that a refusal is about."""


@pages.get(STEP)
async def step(visit: VisitHere) -> Response:
    """Ask for what is missing."""
    try:
        methods = await missing_steps(visit)
    except FlowInvalid:
        return _over(visit)
    if not methods:
        return _over(visit)
    if any(each.startswith("enrol_") for each in methods):
        return visit.go(_beside(visit, ENROL))
    recovery = visit.request.query_params.get("with") == "recovery" and "recovery_code" in methods
    return visit.page(
        "step",
        methods=methods,
        recovery=recovery,
        from_app=True,
        remembers=visit.home.settings.mfa.remember_for,
        options=_beside(visit, "/sign-in/passkey/options"),
        with_recovery=_beside(visit, STEP, **{"with": "recovery"}),
        back=_beside(visit, STEP),
        lost=_beside(visit, _LOST),
    )


@pages.post(STEP)
async def take(visit: VisitHere, form: FormHere) -> Response:
    """Take the step, and lead on."""
    flow, binding = visit.request.query_params.get("flow", ""), _binding(visit)
    read, field = STEPS.get(form.get("do", ""), STEPS["totp"])
    try:
        given = read(told_of_flow(visit, form), form)
        async with visit.work() as work:
            outcome = await visit.home.build(Login, work).prove(
                flow, binding, given, here=visit.me_here, carrier="cookie"
            )
    except FlowInvalid:
        return _over(visit)
    except TotpDelayed as error:
        return visit.back(error, {})
    except REFUSALS as error:
        return visit.back(error, form, username="email", **{"": field})
    return let_in(visit, outcome, flow)


# ── without any of them ──────────────────────────────────────────────────────────────────────────────


@pages.get(_LOST)
async def lost(visit: VisitHere) -> Response:
    """Say what can be done, and what happens then."""
    return visit.page("lost", delay=visit.home.settings.mfa.reset_delay, back=_beside(visit, STEP))


@pages.post(_LOST)
async def ask(visit: VisitHere, _form: FormHere) -> Response:
    """Have the factors removed after the delay. It lets nobody in."""
    try:
        async with visit.work() as work:
            flow = visit.request.query_params.get("flow", "")
            await visit.home.build(FlowSteps, work).reset_factors(flow, _binding(visit))
    except FlowInvalid:
        return _over(visit)
    return visit.go(visit.place(f"{_LOST}/done"))


@pages.get(f"{_LOST}/done")
async def asked(visit: VisitHere) -> Response:
    """Say when it will be."""
    return visit.page("lost-done", delay=visit.home.settings.mfa.reset_delay)


def _binding(visit: Visit) -> str | None:
    return visit.request.cookies.get(visit.home.cookies.flow_name)


def _beside(visit: Visit, page: str, **more: str) -> str:
    """Return the address of another page of the same flow."""
    kept = {name: visit.request.query_params.get(name) for name in ("flow", "return_to")}
    return visit.place(page, {name: value for name, value in {**kept, **more}.items() if value})


def _over(visit: Visit) -> Response:
    return visit.go(visit.with_return("/sign-in"), "flow-over")
