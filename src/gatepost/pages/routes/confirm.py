"""Showing that it is still oneself, before what cannot be undone."""

from fastapi import Response

from gatepost.login import Login, ProvenAgain
from gatepost.pages.routes.entry import let_in, signs_in_by_mail
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import REFUSALS, MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()


@pages.get("/account/confirm")
async def confirm(visit: MemberHere) -> Response:
    """Ask for the password once more."""
    return visit.page(
        "confirm", by_mail=visit.with_return("/sign-in/mail") if signs_in_by_mail(visit) else ""
    )


@pages.post("/account/confirm")
async def show(visit: MemberHere, form: OwnFormHere) -> Response:
    """Put a new session in the place of this one, and lead on."""
    remember = visit.profile.remember
    try:
        given = ProvenAgain(password=form.get("password", ""))
        async with visit.work() as work:
            login = visit.home.build(Login, work)
            admitted = await login.reauthenticate(visit.me, given, remember=remember)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "password"})
    return let_in(visit, admitted)
