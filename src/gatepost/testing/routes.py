"""The clock and the mail over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from gatepost.core.errors import NotFound
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.core.proxies import is_loopback
from gatepost.testing.inbox import Inbox
from gatepost.testing.schemas import MailOut, MailTo, MailWanted, MoveClock, TimeOut

__all__ = ["api"]

_FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip")


async def _reachable(request: Request) -> None:
    """Raise NotFound for who is not on this machine, unless an operator has switched the room on for all.

    A host may serve us on another address than the settings say, and a proxy here may bring anybody.
    """
    if house(request).settings.test_api:
        return
    peer = request.client.host if request.client else ""
    if not is_loopback(peer) or any(name in request.headers for name in _FORWARDING):
        raise NotFound("Not Found")


def _inbox(request: Request) -> Inbox:
    return house(request).testing.inbox


InboxHere = Annotated[Inbox, Depends(_inbox)]

api = APIRouter(tags=["testing"], route_class=StrictJsonRoute, dependencies=[Depends(_reachable)])


@api.get("/test/clock", responses=responses(404, 429, 503))
async def read_clock(request: Request) -> TimeOut:
    """Tell the time."""
    return _time(house(request))


@api.post("/test/clock", responses=responses(404, 409, 413, 415, 422, 429, 503))
async def move_clock(move: MoveClock, request: Request) -> TimeOut:
    """Move the clock of the whole service: when this is answered, every process tells the new time."""
    home = house(request)
    async with home.work(client=client_info(request)) as work:
        await home.testing.moves(work).move(move)
    await home.testing.clock.follow()
    # What has become due by the move need not wait for the worker to look again.
    home.wake.now()
    return _time(home)


@api.get("/test/mail", responses=responses(404, 422, 429, 503))
async def read_mail(wanted: Annotated[MailWanted, Query()], inbox: InboxHere) -> list[MailOut]:
    """Show the mail that was sent, the newest first: at most a hundred."""
    return [MailOut.of(row) for row in await inbox.wait(wanted.wait, wanted.to, wanted.after)]


@api.delete("/test/mail", status_code=204, responses=responses(404, 422, 429, 503))
async def empty_mail(wanted: Annotated[MailTo, Query()], inbox: InboxHere) -> Response:
    """Delete the mail to one address, or all."""
    await inbox.empty(wanted.to)
    return Response(status_code=204)


def _time(home: Any) -> TimeOut:
    clock = home.testing.clock.shifted
    return TimeOut(now=clock.now(), ahead_seconds=clock.ahead.total_seconds())
