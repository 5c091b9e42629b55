"""What links in mails lead to. GET shows a button, and only the POST behind it does anything.

No token against forgery is needed: who has that of the mail may act.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Response
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
from gatepost.core.errors import DomainError
from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.forms import read_form
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.mfa import FactorResets
from gatepost.pages.routes.journey import journey
from gatepost.pages.said import Said, what_is_wrong
from gatepost.pages.visit import Visit, VisitHere
from gatepost.passwords import PasswordRefused
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.users import EmailTaken

__all__ = ["pages", "told_to_nobody"]

pages = journey()

Form = Mapping[str, str]
Act = Callable[[Any, Work, str, Form, Principal | None], Awaitable[None]]


class LinkPage:
    """The page of one purpose. `act` does what its button says, with the house, a unit of work and the form.

    Some concern a password that somebody has set, and ask who is not signed in here for it.
    """

    def __init__(self, purpose: Purpose, act: Act) -> None:
        self._purpose = purpose
        self._act = act
        pages.add_api_route(f"/{purpose.page}", self.offer, methods=["GET"])
        pages.add_api_route(f"/{purpose.page}", self.take, methods=["POST"])
        pages.add_api_route(f"/{purpose.page}/done", self.done, methods=["GET"])

    async def offer(self, visit: VisitHere) -> Response:
        """Show the button, or that the link is dead. Programs that open every link of a mail do no harm."""
        return await self._form(visit, visit.request.query_params.get("token", ""))

    async def take(self, visit: VisitHere) -> Response:
        """Do it."""
        # A page that is not ours has no business with the token. By Fetch Metadata: a page without a referrer sends
        # `Origin: null`, as ours do.
        if visit.request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise CsrfRefused
        form = await read_form(visit.request)
        try:
            token = ShownProof(token=form.get("token", "")).token or ""
        except ValidationError:
            return told_to_nobody(visit.page("dead-link", 400))
        try:
            async with visit.work() as work:
                await self._act(visit.home, work, token, form, visit.me_here)
        except (MailProofInvalid, EmailTaken):
            return told_to_nobody(visit.page("dead-link", 400))
        except (PasswordRefused, PasswordNeeded, ValidationError) as error:
            return await self._form(visit, token, error)
        return visit.go(visit.place(f"/{self._purpose.page}/done"))

    async def done(self, visit: VisitHere) -> Response:
        """Say what was done. It is said to everybody who opens the page, and tells nothing of anybody."""
        return visit.page(f"{self._purpose.page}-done")

    async def _form(
        self, visit: Visit, token: str, error: DomainError | ValidationError | None = None
    ) -> Response:
        claim = await visit.reading(MailProofs).look(self._purpose, token)
        if claim is None:
            return told_to_nobody(visit.page("dead-link", 400))
        here = visit.me_here
        told = {
            "token": token,
            "said": Said(wrong=what_is_wrong(error, {})) if error else Said(),
            "email": claim.email,
            "known_here": here is not None and here.subject == claim.user_id,
        }
        if self._purpose is Purpose.RESET_PASSWORD:
            told["least"] = visit.home.settings.passwords.minimum_length
        return told_to_nobody(visit.page(self._purpose.page, 422 if error else 200, **told))


def told_to_nobody(answer: Response) -> Response:
    """Return the page of an address with a token: nobody is told that address, not even ourselves."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


async def _verify(home: Any, work: Work, token: str, form: Form, here: Principal | None) -> None:
    shown = EmailConfirmation(
        token=token, password=form.get("password") or None, drop_password=form.get("drop") == "yes"
    )
    await home.build(Verification, work).confirm(shown, here)


async def _undo(home: Any, work: Work, token: str, _form: Form, _here: Principal | None) -> None:
    await home.build(EmailChange, work).undo(ShownProof(token=token))


async def _keep(home: Any, work: Work, token: str, _form: Form, _here: Principal | None) -> None:
    await home.build(Deletion, work).cancel(ShownProof(token=token))


async def _keep_factors(home: Any, work: Work, token: str, _form: Form, _here: Principal | None) -> None:
    await home.build(FactorResets, work).cancel(ShownProof(token=token))


async def _reset(home: Any, work: Work, token: str, form: Form, _here: Principal | None) -> None:
    given = PasswordReset(token=token, password=form.get("password", ""))
    await home.build(Recovery, work).reset(given, given.password)


LinkPage(Purpose.VERIFY_EMAIL, _verify)
LinkPage(Purpose.CONFIRM_EMAIL, _verify)
LinkPage(Purpose.UNDO_EMAIL, _undo)
LinkPage(Purpose.KEEP_ACCOUNT, _keep)
LinkPage(Purpose.KEEP_FACTORS, _keep_factors)
LinkPage(Purpose.RESET_PASSWORD, _reset)
