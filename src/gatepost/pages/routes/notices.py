"""Which notices one gets by mail."""

from fastapi import Response

from gatepost.notices import MUTABLE, NoticePreferencesIn, Notices
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()


@pages.get("/account/notices")
async def notices(visit: MemberHere) -> Response:
    """Show which are sent."""
    return visit.page("notices", notices=await visit.reading(Notices).of(visit.me.subject))


@pages.post("/account/notices")
async def choose(visit: MemberHere, form: OwnFormHere) -> Response:
    """Send those that are ticked."""
    wanted = NoticePreferencesIn(muted=sorted(kind for kind in MUTABLE if kind not in form))
    async with visit.work() as work:
        await visit.home.build(Notices, work).choose(visit.me, wanted)
    return visit.go(visit.here, "saved")
