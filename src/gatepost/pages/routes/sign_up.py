"""Joining, and showing by the code of a mail that an address is one's own."""

from fastapi import Response

from gatepost.accounts import Accounts, EmailConfirmation, NewAccount, SignUpClosed, Verification
from gatepost.pages.routes.journey import digits_of, journey
from gatepost.pages.visit import REFUSALS, FormHere, VisitHere

__all__ = ["pages"]

pages = journey()


@pages.get("/sign-up")
async def sign_up(visit: VisitHere) -> Response:
    """Ask who joins."""
    if visit.signed_in is not None:
        return visit.go(visit.onward)
    if not visit.home.settings.accounts.allow_registration:
        raise SignUpClosed
    least = visit.home.settings.passwords.minimum_length
    return visit.page("sign-up", least=least, sign_in=visit.with_return("/sign-in"))


@pages.post("/sign-up")
async def join(visit: VisitHere, form: FormHere) -> Response:
    """Create an account. Whoever it is signs in by the door that everybody comes in by."""
    try:
        new = NewAccount(
            email=form.get("email", ""),
            password=form.get("password", ""),
            name=form.get("name"),
            locale=visit.language,
        )
        async with visit.work() as work:
            user = await visit.home.build(Accounts, work).sign_up(new)
    except REFUSALS as error:
        return visit.back(error, form)
    if visit.home.settings.accounts.email_verification == "required":
        return visit.go(visit.with_return("/verify"), "joined", email=user.email)
    return visit.go(visit.with_return("/sign-in"), "joined", email=user.email)


@pages.get("/verify")
async def verify(visit: VisitHere) -> Response:
    """Ask for the code that was sent."""
    return visit.page("verify", sign_in=visit.with_return("/sign-in"), forgot=visit.with_return("/forgot"))


@pages.post("/verify")
async def take_code(visit: VisitHere, form: FormHere) -> Response:
    """Take the code. It lets nobody in."""
    email = form.get("email", "")
    try:
        shown = EmailConfirmation(email=email, code=digits_of(form))
        async with visit.work() as work:
            await visit.home.build(Verification, work).confirm(shown, visit.me_here)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "code"})
    if visit.signed_in is not None:
        return visit.go(visit.onward, "verified")
    return visit.go(visit.with_return("/sign-in"), "verified", email=email)
