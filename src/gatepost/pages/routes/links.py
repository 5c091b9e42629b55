"""What links in mails lead to. GET shows a button, and only the POST behind it does anything.

No cookie counts here and none is needed: who has the token may act.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError

from gatepost.accounts import Deletion, EmailChange, PasswordReset, Recovery, Verification
from gatepost.core.errors import DomainError
from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.forms import read_form
from gatepost.core.work import Work
from gatepost.pages.routes.journey import journey
from gatepost.pages.said import Said, what_is_wrong
from gatepost.pages.visit import Visit
from gatepost.passwords import PasswordRefused
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.users import EmailTaken

__all__ = ["pages"]

pages = journey()

Act = Callable[[Any, Work, ShownProof, Mapping[str, str]], Awaitable[None]]


class LinkPage:
    """The page of one purpose. `act` does what its button says, with the house, a unit of work and the form."""

    def __init__(self, purpose: Purpose, act: Act) -> None:
        self._purpose = purpose
        self._act = act
        pages.add_api_route(f"/{purpose.page}", self.offer, methods=["GET"])
        pages.add_api_route(f"/{purpose.page}", self.take, methods=["POST"])
        pages.add_api_route(f"/{purpose.page}/done", self.done, methods=["GET"])

    async def offer(self, request: Request) -> Response:
        """Show the button, or that the link is dead. Programs that open every link of a mail do no harm."""
        return await self._form(request, request.query_params.get("token", ""))

    async def take(self, request: Request) -> Response:
        """Do it."""
        # A page that is not ours has no business with the token. By Fetch Metadata: a page without a referrer sends
        # `Origin: null`, as ours do.
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise CsrfRefused
        form, home = await read_form(request), house(request)
        try:
            shown = ShownProof(token=form.get("token", ""))
        except ValidationError:
            return _page(request, "dead-link", 400)
        try:
            async with home.work(client=client_info(request)) as work:
                await self._act(home, work, shown, form)
        except (MailProofInvalid, EmailTaken):
            return _page(request, "dead-link", 400)
        except (PasswordRefused, ValidationError) as error:
            return await self._form(request, shown.token or "", error)
        visit = Visit(request, None)
        return visit.go(visit.place(f"/{self._purpose.page}/done"))

    async def done(self, request: Request) -> Response:
        """Say what was done. It is said to everybody who opens the page, and tells nothing of anybody."""
        return _page(request, f"{self._purpose.page}-done", 200)

    async def _form(
        self, request: Request, token: str, error: DomainError | ValidationError | None = None
    ) -> Response:
        home = house(request)
        proofs = home.build(MailProofs, home.reading(client=client_info(request)))
        if not await proofs.works(self._purpose, token):
            return _page(request, "dead-link", 400)
        said = Said(wrong=what_is_wrong(error, {})) if error else Said()
        least = home.settings.passwords.minimum_length
        status = 422 if error else 200
        return _page(request, self._purpose.page, status, token=token, said=said, least=least)


def _page(request: Request, name: str, status: int, **told: Any) -> Response:
    answer = Visit(request, None).page(name, status, **told)
    # The address holds the token: nobody is told it, not even ourselves.
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


async def _verify(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(Verification, work).confirm(shown)


async def _undo(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(EmailChange, work).undo(shown)


async def _keep(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(Deletion, work).cancel(shown)


async def _reset(home: Any, work: Work, shown: ShownProof, form: Mapping[str, str]) -> None:
    given = PasswordReset(token=shown.token, password=form.get("password", ""))
    await home.build(Recovery, work).reset(given, given.password)


LinkPage(Purpose.VERIFY_EMAIL, _verify)
LinkPage(Purpose.CONFIRM_EMAIL, _verify)
LinkPage(Purpose.UNDO_EMAIL, _undo)
LinkPage(Purpose.KEEP_ACCOUNT, _keep)
LinkPage(Purpose.RESET_PASSWORD, _reset)
