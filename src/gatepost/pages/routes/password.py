"""A new password for somebody who is signed in."""

from fastapi import Response

from gatepost.accounts import Accounts, ChangeAccount
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import REFUSALS, MemberHere, OwnFormHere, VisitHere

__all__ = ["pages"]

pages = journey()


@pages.get("/.well-known/change-password")
async def lead_there(visit: VisitHere) -> Response:
    """Lead password managers to the page (W3C, A Well-Known URL for Changing Passwords)."""
    return visit.go(visit.place("/account/password"))


@pages.get("/account/password")
async def password(visit: MemberHere) -> Response:
    """Ask for the password of now and the next one."""
    visit.need_fresh()
    return visit.page("password", least=visit.home.settings.passwords.minimum_length)


@pages.post("/account/password")
async def change(visit: MemberHere, form: OwnFormHere) -> Response:
    """Change it. The other sessions end, if the settings say so."""
    try:
        wanted = ChangeAccount(
            password=form.get("new_password", ""), current_password=form.get("current_password", "")
        )
        async with visit.work() as work:
            await visit.home.build(Accounts, work).change_own(visit.me, wanted)
    except REFUSALS as error:
        return visit.back(error, form, password="new_password")  # noqa: S106  a field's name
    return visit.go(visit.here, "password-changed")
