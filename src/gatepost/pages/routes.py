"""What links in mails lead to. GET shows a button, and only the POST behind it does anything."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from gatepost.accounts import (
    Deletion,
    EmailChange,
    EmailConfirmation,
    PasswordNeeded,
    PasswordReset,
    Recovery,
    Verification,
)
from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.forms import read_form
from gatepost.core.limits import LimitExceeded
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.pages.answers import dead, page, too_many
from gatepost.pages.sign_in_link import offer_sign_in, sign_in
from gatepost.pages.visitors import signed_in_here
from gatepost.passwords import PasswordRefused
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.users import EmailTaken

__all__ = ["pages"]

pages = APIRouter(include_in_schema=False)

Form = Mapping[str, str]
Act = Callable[[Any, Work, str, Form, Principal | None], Awaitable[None]]


class LinkPage:
    """The page of one purpose. `act` does what its button says, with the house, a unit of work and the form.

    `personal`: it concerns a password that somebody has set, and asks who is not signed in here for it.
    """

    def __init__(self, purpose: Purpose, act: Act, *, personal: bool = False) -> None:
        self._purpose = purpose
        self._act = act
        self._personal = personal
        pages.add_api_route(f"/{purpose.page}", self.offer, methods=["GET"])
        pages.add_api_route(f"/{purpose.page}", self.take, methods=["POST"])

    async def offer(self, request: Request) -> Response:
        """Show the button, or that the link is dead. Programs that open every link of a mail do no harm."""
        return await self._form(request, request.query_params.get("token", ""), refused=False)

    async def take(self, request: Request) -> Response:
        """Do it."""
        # Who has the token may act, and a page that is not ours has no business with it still.
        # By Fetch Metadata: a page without a referrer sends `Origin: null`, as ours do.
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise CsrfRefused
        form, home = await read_form(request), house(request)
        here = await signed_in_here(request) if self._personal else None
        try:
            token = ShownProof(token=form.get("token", "")).token or ""
        except ValidationError:
            return dead(request)
        try:
            async with home.work(client=client_info(request)) as work:
                await self._act(home, work, token, form, here)
        except (MailProofInvalid, EmailTaken):
            return dead(request)
        except (PasswordRefused, PasswordNeeded, ValidationError):
            return await self._form(request, token, refused=True)
        except LimitExceeded as error:
            return too_many(request, error)
        return page(request, f"{self._purpose.page}-done", 200)

    async def _form(self, request: Request, token: str, *, refused: bool) -> Response:
        home = house(request)
        proofs = home.build(MailProofs, home.reading(client=client_info(request)))
        claim = await proofs.look(self._purpose, token)
        if claim is None:
            return dead(request)
        here = await signed_in_here(request) if self._personal else None
        told = {
            "action": self._purpose.page,
            "token": token,
            "refused": refused,
            "least": home.settings.passwords.minimum_length,
            "email": claim.email,
            "known_here": here is not None and here.subject == claim.user_id,
        }
        return page(request, self._purpose.page, 422 if refused else 200, **told)


async def _verify(home: Any, work: Work, token: str, form: Form, here: Principal | None) -> None:
    shown = EmailConfirmation(
        token=token, password=form.get("password") or None, drop_password=form.get("drop") == "yes"
    )
    await home.build(Verification, work).confirm(shown, here)


async def _undo(home: Any, work: Work, token: str, _form: Form, _here: Principal | None) -> None:
    await home.build(EmailChange, work).undo(ShownProof(token=token))


async def _keep(home: Any, work: Work, token: str, _form: Form, _here: Principal | None) -> None:
    await home.build(Deletion, work).cancel(ShownProof(token=token))


async def _reset(home: Any, work: Work, token: str, form: Form, _here: Principal | None) -> None:
    given = PasswordReset(token=token, password=form.get("password", ""))
    await home.build(Recovery, work).reset(given, given.password)


LinkPage(Purpose.VERIFY_EMAIL, _verify, personal=True)
LinkPage(Purpose.CONFIRM_EMAIL, _verify, personal=True)
LinkPage(Purpose.UNDO_EMAIL, _undo)
LinkPage(Purpose.KEEP_ACCOUNT, _keep)
LinkPage(Purpose.RESET_PASSWORD, _reset)
pages.add_api_route(f"/{Purpose.SIGN_IN_LINK.page}", offer_sign_in, methods=["GET"])
pages.add_api_route(f"/{Purpose.SIGN_IN_LINK.page}", sign_in, methods=["POST"])


@pages.get("/page.css")
async def style(request: Request) -> Response:
    """Answer with the style sheet of the pages."""
    return Response(house(request).pages.style, 200, {"Cache-Control": "public, max-age=3600"}, "text/css")
