"""Coming in by the code of a mail; its link has a page of its own."""

from fastapi import Response

from gatepost.login import EmailUnverified, FlowInvalid, Login, MailStep, SignInMail, SignInMails
from gatepost.pages.routes.entry import let_in
from gatepost.pages.routes.journey import digits_of, journey
from gatepost.pages.visit import REFUSALS, FormHere, VisitHere

__all__ = ["pages"]

pages = journey()


@pages.get("/sign-in/mail")
async def ask(visit: VisitHere) -> Response:
    """Ask where to send a mail. Whoever is signed in may show so that it is still them."""
    return visit.page("sign-in-mail", sign_in=visit.with_return("/sign-in"))


@pages.post("/sign-in/mail")
async def send(visit: VisitHere, form: FormHere) -> Response:
    """Begin a sign-in of this browser, and send a mail for it if somebody has that address."""
    try:
        wanted = SignInMail(flow="", email=form.get("email", ""))
        async with visit.work() as work:
            login = visit.home.build(Login, work)
            begun = (await login.begin("cookie", remember="remember" in form)).flow
        # The flow is read as it was committed.
        async with visit.work() as work:
            await visit.home.build(SignInMails, work).ask(begun.handle, begun.binding, wanted.email)
    except REFUSALS as error:
        return visit.back(error, form)
    there = {"flow": begun.handle, **({"return_to": visit.wanted} if visit.wanted else {})}
    answer = visit.go(visit.place("/sign-in/code", there), "sign-in-sent", email=wanted.email)
    visit.home.cookies.set(answer, visit.home.cookies.flow_name, begun.binding, begun.expires_in)
    return answer


@pages.get("/sign-in/code")
async def enter(visit: VisitHere) -> Response:
    """Ask for the code that was sent."""
    return visit.page("sign-in-code", again=visit.with_return("/sign-in/mail"))


@pages.post("/sign-in/code")
async def come_in(visit: VisitHere, form: FormHere) -> Response:
    """Take the code, in the sign-in that asked for it."""
    flow = visit.request.query_params.get("flow", "")
    try:
        given = MailStep(flow=flow, method="mail", email=form.get("email", ""), code=digits_of(form))
        async with visit.work() as work:
            outcome = await visit.home.build(Login, work).prove(
                flow,
                visit.request.cookies.get(visit.home.cookies.flow_name),
                given,
                here=visit.me_here,
                carrier="cookie",
            )
    except (FlowInvalid, EmailUnverified) as error:
        return visit.back(error, form)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "code"})
    return let_in(visit, outcome, flow)
