"""Where somebody who is signed in looks after their account."""

from fastapi import APIRouter, Response

from gatepost.accounts import EmailChange
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import HOME, MemberHere, VisitHere
from gatepost.sessions import Sessions

__all__ = ["front", "pages"]

pages = journey()
front = APIRouter(include_in_schema=False)


@front.get("/")
async def come_to_the_front(visit: VisitHere) -> Response:
    """Lead whoever opens the bare address to their account."""
    return visit.go(visit.place(HOME))


@pages.get(HOME)
async def overview(visit: MemberHere) -> Response:
    """Show the account at a glance."""
    signed_in = await visit.reading(Sessions).of(visit.me.subject, visit.me.session_id)
    email = await visit.reading(EmailChange).state(visit.me)
    return visit.page("home", devices=len(signed_in), email=email)
