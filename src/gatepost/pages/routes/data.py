"""A copy of all that is held about oneself, and the end of the account."""

from fastapi import Response

from gatepost.accounts import Accounts
from gatepost.exports import Exports
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()


@pages.get("/account/data")
async def data(visit: MemberHere) -> Response:
    """Offer the copy."""
    return visit.page("data")


@pages.post("/account/data")
async def take(visit: MemberHere, _form: OwnFormHere) -> Response:
    """Hand it out, as a file."""
    async with visit.work() as work:
        found = await visit.home.build(Exports, work).of(visit.me)
    headers = {"Content-Disposition": 'attachment; filename="account.json"'}
    return Response(found.model_dump_json(indent=2), 200, headers, "application/json")


@pages.get("/account/delete")
async def delete(visit: MemberHere) -> Response:
    """Say what is lost."""
    visit.need_fresh()
    return visit.page("delete", grace=visit.home.settings.accounts.deletion_grace)


@pages.post("/account/delete")
async def confirm(visit: MemberHere, _form: OwnFormHere) -> Response:
    """Delete the account, at once or after the grace period."""
    async with visit.work() as work:
        await visit.home.build(Accounts, work).delete_own(visit.me)
    grace = visit.home.settings.accounts.deletion_grace
    answer = visit.go(visit.place("/sign-in"), "deletion-scheduled" if grace else "deleted")
    visit.home.cookies.clear(answer, visit.home.cookies.session_name)
    return answer
