"""What links in mails lead to. GET shows a button, and only the POST behind it does anything."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from gatepost.accounts import Deletion, EmailChange, PasswordReset, Recovery, Verification
from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.forms import read_form
from gatepost.core.limits import LimitExceeded
from gatepost.core.work import Work
from gatepost.mfa import FactorResets
from gatepost.passwords import PasswordRefused
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.users import EmailTaken

__all__ = ["pages"]

pages = APIRouter(include_in_schema=False)

Act = Callable[[Any, Work, ShownProof, Mapping[str, str]], Awaitable[None]]

_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class LinkPage:
    """The page of one purpose. `act` does what its button says, with the house, a unit of work and the form."""

    def __init__(self, purpose: Purpose, act: Act) -> None:
        self._purpose = purpose
        self._act = act
        pages.add_api_route(f"/{purpose.page}", self.offer, methods=["GET"])
        pages.add_api_route(f"/{purpose.page}", self.take, methods=["POST"])

    async def offer(self, request: Request) -> Response:
        """Show the button, or that the link is dead. Programs that open every link of a mail do no harm."""
        return await self._form(request, request.query_params.get("token", ""), refused=False)

    async def take(self, request: Request) -> Response:
        """Do it."""
        # No cookie counts here, and who has the token may act; a page that is not ours has no business with it still.
        # By Fetch Metadata: a page without a referrer sends `Origin: null`, as ours do.
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise CsrfRefused
        form, home = await read_form(request), house(request)
        try:
            shown = ShownProof(token=form.get("token", ""))
        except ValidationError:
            return _dead(request)
        try:
            async with home.work(client=client_info(request)) as work:
                await self._act(home, work, shown, form)
        except (MailProofInvalid, EmailTaken):
            return _dead(request)
        except (PasswordRefused, ValidationError):
            return await self._form(request, shown.token or "", refused=True)
        except LimitExceeded as error:
            answer = _page(request, "too-many", 429)
            answer.headers.update({"Retry-After": str(error.retry_after), **error.verdict.fields})
            return answer
        return _page(request, f"{self._purpose.page}-done", 200)

    async def _form(self, request: Request, token: str, *, refused: bool) -> Response:
        home = house(request)
        proofs = home.build(MailProofs, home.reading(client=client_info(request)))
        if not await proofs.works(self._purpose, token):
            return _dead(request)
        least = home.settings.passwords.minimum_length
        told = {"action": self._purpose.page, "token": token, "refused": refused, "least": least}
        return _page(request, self._purpose.page, 422 if refused else 200, **told)


def _dead(request: Request) -> Response:
    return _page(request, "dead-link", 400)


def _page(request: Request, name: str, status: int, **told: Any) -> Response:
    page = house(request).pages.render(name, request.headers.get("accept-language"), **told)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Content-Language": page.language,
        "Vary": "Accept-Language",
    }
    return Response(page.html, status, headers, "text/html")


async def _verify(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(Verification, work).confirm(shown)


async def _undo(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(EmailChange, work).undo(shown)


async def _keep(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(Deletion, work).cancel(shown)


async def _keep_factors(home: Any, work: Work, shown: ShownProof, _form: Mapping[str, str]) -> None:
    await home.build(FactorResets, work).cancel(shown)


async def _reset(home: Any, work: Work, shown: ShownProof, form: Mapping[str, str]) -> None:
    given = PasswordReset(token=shown.token, password=form.get("password", ""))
    await home.build(Recovery, work).reset(given, given.password)


LinkPage(Purpose.VERIFY_EMAIL, _verify)
LinkPage(Purpose.CONFIRM_EMAIL, _verify)
LinkPage(Purpose.UNDO_EMAIL, _undo)
LinkPage(Purpose.KEEP_ACCOUNT, _keep)
LinkPage(Purpose.KEEP_FACTORS, _keep_factors)
LinkPage(Purpose.RESET_PASSWORD, _reset)


@pages.get("/page.css")
async def style(request: Request) -> Response:
    """Answer with the style sheet of the pages."""
    return Response(house(request).pages.style, 200, {"Cache-Control": "public, max-age=3600"}, "text/css")
