"""The page of a link to sign in by: in the browser that asked one button, elsewhere one that says as whom.

Signing a browser in is worth something to an attacker, too: who gets somebody signed in as themselves sees what that
person then leaves there. So only a page of ours may press the button, which says the address in any case.
"""

import hmac

from fastapi import Request, Response
from pydantic import ValidationError

from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.forms import read_form
from gatepost.login import EmailUnverified, FlowInvalid, InvalidCredentials, Login, MethodOff, binding_digest
from gatepost.pages.routes.entry import let_in
from gatepost.pages.routes.journey import journey
from gatepost.pages.routes.links import told_to_nobody
from gatepost.pages.visit import VisitHere
from gatepost.proofs import Claim, MailProofs, Purpose, ShownProof

__all__ = ["pages"]

pages = journey()

_PATH = f"/{Purpose.SIGN_IN_LINK.page}"


@pages.get(_PATH)
async def offer(visit: VisitHere) -> Response:
    """Show the button, or that the link is dead. Nobody is signed in by opening it."""
    token = visit.request.query_params.get("token", "")
    claim = await _looked_at(visit.request, token)
    if claim is None:
        return told_to_nobody(visit.page("dead-link", 400))
    asked_here = _binding(visit.request, claim) is not None
    page = visit.page("sign-in-link", 200, token=token, email=claim.email, asked_here=asked_here)
    return told_to_nobody(page)


@pages.post(_PATH)
async def sign_in(visit: VisitHere) -> Response:
    """Sign this browser in, or lead to the page of the next step."""
    form, request = await read_form(visit.request), visit.request
    try:
        token = ShownProof(token=form.get("token", "")).token or ""
    except ValidationError:
        return told_to_nobody(visit.page("dead-link", 400))
    claim = await _looked_at(request, token)
    binding = _binding(request, claim) if claim else None
    _need_own_page(request, asked_here=binding is not None)
    try:
        async with visit.work() as work:
            outcome = await visit.home.build(Login, work).with_link(token, binding, here=visit.me_here)
    except (InvalidCredentials, EmailUnverified, FlowInvalid, MethodOff):
        return told_to_nobody(visit.page("dead-link", 400))
    return let_in(visit, outcome, onward=visit.place(f"{_PATH}/done"))


@pages.get(f"{_PATH}/done")
async def done(visit: VisitHere) -> Response:
    """Say as whom this browser is signed in."""
    if visit.signed_in is None:
        return visit.page("dead-link", 400)
    return visit.page("sign-in-link-done")


async def _looked_at(request: Request, token: str) -> Claim | None:
    home = house(request)
    proofs = home.build(MailProofs, home.reading(client=client_info(request)))
    found: Claim | None = await proofs.look(Purpose.SIGN_IN_LINK, token)
    return found


def _binding(request: Request, claim: Claim) -> str | None:
    """Return the secret of the flow that asked for the link, if this browser has it."""
    kept = request.cookies.get(house(request).cookies.flow_name)
    known = binding_digest(kept)
    if known is None or claim.binding_digest is None:
        return None
    return kept if hmac.compare_digest(known, claim.binding_digest) else None


def _need_own_page(request: Request, *, asked_here: bool) -> None:
    """Raise CsrfRefused unless the button of our page was pressed.

    Our page has no referrer, and its form therefore no origin: what tells is Fetch Metadata. A browser that sends none
    is believed only where the link was asked for; what is no browser has nothing that could be abused.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CsrfRefused
    elif origin is not None and not asked_here:
        house(request).cookies.need_page(request)
