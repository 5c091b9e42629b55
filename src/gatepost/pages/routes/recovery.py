"""From a forgotten password to a new one, by the code of a mail; its link has a page of its own."""

from fastapi import Response

from gatepost.accounts import ForgottenPassword, PasswordReset, Recovery
from gatepost.pages.routes.journey import digits_of, journey
from gatepost.pages.visit import REFUSALS, FormHere, VisitHere

__all__ = ["pages"]

pages = journey()


@pages.get("/forgot")
async def forgot(visit: VisitHere) -> Response:
    """Ask whose password is forgotten."""
    return visit.page("forgot", sign_in=visit.with_return("/sign-in"))


@pages.post("/forgot")
async def send(visit: VisitHere, form: FormHere) -> Response:
    """Send a mail if somebody has that address; what is answered does not tell."""
    try:
        given = ForgottenPassword(email=form.get("email", ""))
        async with visit.work() as work:
            await visit.home.build(Recovery, work).ask(given.email)
    except REFUSALS as error:
        return visit.back(error, form)
    return visit.go(visit.with_return("/reset"), "reset-sent", email=given.email)


@pages.get("/reset")
async def reset(visit: VisitHere) -> Response:
    """Ask for the code that was sent, and for a new password."""
    least = visit.home.settings.passwords.minimum_length
    return visit.page("reset", least=least, forgot=visit.with_return("/forgot"))


@pages.post("/reset")
async def set_password(visit: VisitHere, form: FormHere) -> Response:
    """Set the new password, which ends all sessions and lets nobody in."""
    email = form.get("email", "")
    try:
        given = PasswordReset(email=email, code=digits_of(form), password=form.get("password", ""))
        async with visit.work() as work:
            await visit.home.build(Recovery, work).reset(given, given.password)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "code"})
    return visit.go(visit.with_return("/sign-in"), "password-set", email=email)
