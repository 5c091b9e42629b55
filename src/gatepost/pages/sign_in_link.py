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
from gatepost.core.limits import LimitExceeded
from gatepost.login import EmailUnverified, FlowInvalid, InvalidCredentials, Login, MethodOff, binding_digest
from gatepost.pages.answers import dead, page, too_many
from gatepost.pages.visitors import signed_in_here
from gatepost.proofs import Claim, MailProofs, Purpose, ShownProof

__all__ = ["offer_sign_in", "sign_in"]


async def offer_sign_in(request: Request) -> Response:
    """Show the button, or that the link is dead. Nobody is signed in by opening it."""
    token = request.query_params.get("token", "")
    claim = await _looked_at(request, token)
    if claim is None:
        return dead(request)
    told = {
        "action": Purpose.SIGN_IN_LINK.page,
        "token": token,
        "email": claim.email,
        "asked_here": _binding(request, claim) is not None,
    }
    return page(request, "sign-in-link", 200, **told)


async def sign_in(request: Request) -> Response:
    """Sign this browser in."""
    form, home = await read_form(request), house(request)
    try:
        token = ShownProof(token=form.get("token", "")).token or ""
    except ValidationError:
        return dead(request)
    claim = await _looked_at(request, token)
    binding = _binding(request, claim) if claim else None
    _need_own_page(request, asked_here=binding is not None)
    here = await signed_in_here(request)
    try:
        async with home.work(client=client_info(request)) as work:
            admitted = await home.build(Login, work).with_link(token, binding, here=here)
    except (InvalidCredentials, EmailUnverified, FlowInvalid, MethodOff):
        return dead(request)
    except LimitExceeded as error:
        return too_many(request, error)
    answer = page(request, "sign-in-link-done", 200, email=admitted.profile.email)
    started = admitted.session
    seconds = int(home.settings.sessions.lifetime.total_seconds()) if started.remember else None
    home.cookies.set(answer, home.cookies.session_name, started.cookie, seconds)
    home.cookies.clear(answer, home.cookies.flow_name)
    return answer


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
