"""Where one is signed in."""

from uuid import UUID

from fastapi import Response

from gatepost.core.http.cookies import Cookies
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import MemberHere, OwnFormHere
from gatepost.sessions import EndReason, SessionNotFound, Sessions

__all__ = ["pages"]

pages = journey()


@pages.get("/account/sessions")
async def devices(visit: MemberHere) -> Response:
    """List them, the one that was used last first."""
    found = await visit.reading(Sessions).of(visit.me.subject, visit.me.session_id)
    return visit.page("sessions", sessions=found)


@pages.post("/account/sessions")
async def end(visit: MemberHere, form: OwnFormHere) -> Response:
    """End one, or all but this one."""
    if form.get("session") == "others":
        async with visit.work() as work:
            sessions = visit.home.build(Sessions, work)
            await sessions.end_all(visit.me.subject, EndReason.REVOKED, keep=visit.me.session_id)
        return visit.go(visit.here, "others-ended")
    chosen = _session(form.get("session", ""))
    own = chosen == visit.me.session_id
    try:
        async with visit.work() as work:
            reason = EndReason.SIGNED_OUT if own else EndReason.REVOKED
            await visit.home.build(Sessions, work).revoke(visit.me.subject, chosen, reason)
    except SessionNotFound:
        # It ended by itself, or by a second press: the list says so.
        return visit.go(visit.here)
    if not own:
        return visit.go(visit.here, "session-ended")
    cookies: Cookies = visit.home.cookies
    answer = visit.go(visit.place("/sign-in"), "signed-out")
    cookies.clear(answer, cookies.session_name)
    return answer


def _session(typed: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        raise SessionNotFound from None
