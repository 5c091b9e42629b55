"""One's own notices over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from gatepost.core.http.deps import CallerHere, room
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.notices.schemas import NoticePreferencesIn, NoticePreferencesOut
from gatepost.notices.service import Notices

__all__ = ["api"]

api = APIRouter(tags=["notices"], route_class=StrictJsonRoute)

NoticesHere = Annotated[Notices, room(Notices)]
NoticesToRead = Annotated[Notices, room(Notices, read_only=True)]


@api.get("/users/me/notices", responses=responses(401, 429, 503))
async def own_notices(me: CallerHere, notices: NoticesToRead) -> NoticePreferencesOut:
    """Read which notices by mail one has turned off, and which one could."""
    return await notices.of(me.subject)


@api.put("/users/me/notices", responses=responses(400, 401, 403, 409, 413, 415, 422, 429, 503))
async def choose_own_notices(
    me: CallerHere, wanted: NoticePreferencesIn, notices: NoticesHere
) -> NoticePreferencesOut:
    """Choose which notices to do without. To turn one off needs a fresh sign-in."""
    return await notices.choose(me, wanted)
