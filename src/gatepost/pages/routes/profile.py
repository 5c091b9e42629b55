"""One's name and language."""

from fastapi import Response

from gatepost.accounts import Accounts, ChangeAccount
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import REFUSALS, MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()


@pages.get("/account/profile")
async def profile(visit: MemberHere) -> Response:
    """Show it."""
    return visit.page("profile")


@pages.post("/account/profile")
async def save(visit: MemberHere, form: OwnFormHere) -> Response:
    """Change it. A language that this browser was told to use before gives way to the person's."""
    try:
        change = ChangeAccount(name=form.get("name"), locale=form.get("language"))
        async with visit.work() as work:
            await visit.home.build(Accounts, work).change_own(visit.me, change)
    except REFUSALS as error:
        return visit.back(error, form, locale="language")
    answer = visit.go(visit.here, "saved")
    visit.home.cookies.clear(answer, visit.home.cookies.language_name)
    return answer
