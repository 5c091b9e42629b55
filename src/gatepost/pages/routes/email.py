"""One's address: showing that it is one's own, and changing it."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Response

from gatepost.accounts import EmailChange, EmailConfirmation, NewEmail, Verification
from gatepost.core.errors import Invalid
from gatepost.core.work import Work
from gatepost.pages.routes.journey import digits_of, journey
from gatepost.pages.visit import REFUSALS, Member, MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()


@pages.get("/account/email")
async def email(visit: MemberHere) -> Response:
    """Show the address, and the one that waits to take its place."""
    return visit.page("email", email=await visit.reading(EmailChange).state(visit.me))


@pages.post("/account/email")
async def act(visit: MemberHere, form: OwnFormHere) -> Response:
    """Do what the button says."""
    button = form.get("do", "")
    if button not in BUTTONS:
        raise Invalid(field="do")
    do, notice = BUTTONS[button]
    try:
        async with visit.work() as work:
            await do(visit, work, form)
    except REFUSALS as error:
        return visit.back(error, form, email="new_email", **{"": "code"})
    return visit.go(visit.here, notice)


async def _change(visit: Member, work: Work, form: Mapping[str, str]) -> None:
    wanted = NewEmail(email=form.get("new_email", ""))
    await visit.home.build(EmailChange, work).ask(visit.me, wanted.email)


async def _forget(visit: Member, work: Work, _form: Mapping[str, str]) -> None:
    await visit.home.build(EmailChange, work).cancel(visit.me)


async def _send_again(visit: Member, work: Work, _form: Mapping[str, str]) -> None:
    await visit.home.build(Verification, work).ask_again(visit.me)


async def _take_code(visit: Member, work: Work, form: Mapping[str, str]) -> None:
    state = await visit.reading(EmailChange).state(visit.me)
    # The code is for the address that waits; without one, for that which is not verified yet.
    address = state.pending.email if state.pending else state.email
    shown = EmailConfirmation(email=address, code=digits_of(form))
    await visit.home.build(Verification, work).confirm(shown, visit.me_here)


BUTTONS: Mapping[str, tuple[Callable[[Member, Work, Mapping[str, str]], Awaitable[None]], str]] = {
    "change": (_change, "email-asked"),
    "forget": (_forget, "email-kept"),
    "send": (_send_again, "verification-sent"),
    "code": (_take_code, "verified"),
}
