"""Coming in with a password, and going out."""

from fastapi import Response

from gatepost.login import SIGN_IN_PAGE, BrowserLogin, EmailUnverified, FlowInvalid, Login, PasskeyStep
from gatepost.pages.routes.entry import device_here, let_in, signs_in_by_mail
from gatepost.pages.routes.journey import brought, journey
from gatepost.pages.visit import REFUSALS, FormHere, VisitHere, need_own
from gatepost.passkeys import AssertionResponse

__all__ = ["pages"]

pages = journey()


@pages.get("/sign-in")
async def sign_in(visit: VisitHere) -> Response:
    """Ask for address and password."""
    if visit.signed_in is not None:
        return visit.go(visit.onward)
    settings = visit.home.settings
    return visit.page(
        "sign-in",
        may_join=settings.accounts.allow_registration,
        sign_up=visit.with_return("/sign-up"),
        forgot=visit.with_return("/forgot"),
        by_mail=visit.with_return("/sign-in/mail") if signs_in_by_mail(visit) else "",
    )


@pages.post("/sign-in")
async def come_in(visit: VisitHere, form: FormHere) -> Response:
    """Sign in, and lead on. A session that the browser had before ends."""
    if "credential" in form:
        return await _with_passkey(visit, form)
    try:
        given = BrowserLogin(
            username=form.get("email", ""), password=form.get("password", ""), remember="remember" in form
        )
        async with visit.work() as work:
            outcome = await visit.home.build(Login, work).with_password(
                SIGN_IN_PAGE, given, here=visit.me_here, remember=given.remember, device=device_here(visit)
            )
    except EmailUnverified:
        # The password was right. What is missing came by mail.
        return visit.go(visit.with_return("/verify"), "verify-first", email=form.get("email", ""))
    except REFUSALS as error:
        return visit.back(error, form, username="email")
    return let_in(visit, outcome)


async def _with_passkey(visit: VisitHere, form: FormHere) -> Response:
    """Take what a script has had the browser show, for a flow that this page began: it alone has the binding."""
    flow, binding = form.get("flow", ""), form.get("binding")
    try:
        step = PasskeyStep(flow=flow[:200], method="passkey", credential=brought(form, AssertionResponse))
        async with visit.work() as work:
            outcome = await visit.home.build(Login, work).prove(
                flow, binding, step, here=visit.me_here, carrier="cookie"
            )
    except EmailUnverified:
        return visit.go(visit.with_return("/verify"), "verify-first")
    except FlowInvalid:
        return visit.go(visit.here, "flow-over")
    except REFUSALS as error:
        return visit.back(error, {}, **{"": "passkey"})
    return let_in(visit, outcome, flow, binding)


@pages.get("/sign-out")
async def leave(visit: VisitHere) -> Response:
    """Ask whether to sign out: a link may lead here, and opening one does nothing."""
    if visit.signed_in is None:
        return visit.go(visit.place("/sign-in"))
    return visit.page("sign-out")


@pages.post("/sign-out")
async def go_out(visit: VisitHere, form: FormHere) -> Response:
    """Sign out in this browser. A session that is over already is no error."""
    answer = visit.go(visit.place("/sign-in"), "signed-out")
    if visit.signed_in is not None:
        need_own(visit, form)
        async with visit.work() as work:
            await visit.home.build(Login, work).sign_out(visit.signed_in.principal.session_id)
    visit.home.cookies.clear(answer, visit.home.cookies.session_name)
    return answer
