"""One request for a page: who asks, in which language, what they were told before, and how they are answered."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request, Response
from pydantic import ValidationError

from gatepost.core.errors import Conflict, DomainError, Invalid
from gatepost.core.http.deps import client_info, house
from gatepost.core.http.forms import read_form
from gatepost.core.http.route_table import route_path
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.mfa import Factors
from gatepost.pages.errors import FormExpired
from gatepost.pages.rendering import Pages
from gatepost.pages.returning import safe_return
from gatepost.pages.said import Said, typed_in, what_is_wrong
from gatepost.tokens import Authenticated, TokenInvalid

__all__ = [
    "CODES",
    "OF_PAGES",
    "REFUSALS",
    "SECURITY",
    "FormHere",
    "Member",
    "MemberHere",
    "OwnFormHere",
    "SignInFirst",
    "Visit",
    "VisitHere",
    "need_own",
]

REFUSALS = (ValidationError, Invalid, Conflict)
"""What a form may be refused with, so that its page says so beside the field; all else has a page of its own."""

OF_PAGES = "gatepost.of_pages"
"""In the scope of a request for a page: what is known of it, also to those who answer when it is refused."""

HOME = "/account"
SECURITY = f"{HOME}/security"
CODES = f"{SECURITY}/codes"
_A_YEAR = 365 * 24 * 3600
_A_WHILE = 120
_KEPT = timedelta(minutes=10)
_NONE: Mapping[str, str] = {}


class SignInFirst(Exception):
    """Nobody is signed in, or not any more (`over`), and the page is for those who are."""

    def __init__(self, visit: "Visit", *, over: bool) -> None:
        super().__init__("sign in first")
        self.visit = visit
        self.over = over


class Visit:
    """What the journeys use of a request. `signed_in` is who the browser's session belongs to."""

    def __init__(self, request: Request, signed_in: Authenticated | None) -> None:
        self.request = request
        self.home: Any = house(request)
        self.signed_in = signed_in
        self.path = route_path(request.scope)
        cookies = self.home.cookies
        self.said = Said.unpack(request.cookies.get(cookies.said_name), self.path)
        profile = signed_in.caller.profile if signed_in else None
        chosen = request.cookies.get(cookies.language_name)
        self.language = self._pages.language(
            chosen, profile.locale if profile else None, accept=request.headers.get("accept-language")
        )
        request.scope.get(OF_PAGES, {})["language"] = self.language

    @property
    def me_here(self) -> Principal | None:
        """Who is signed in, if anybody is."""
        return self.signed_in.principal if self.signed_in else None

    @property
    def _pages(self) -> Pages:
        pages: Pages = self.home.pages
        return pages

    @property
    def base(self) -> str:
        """What stands before our paths."""
        return self._pages.base(self.request.scope.get("root_path", ""))

    @property
    def here(self) -> str:
        """The address of this page, with its query, as the browser has it."""
        return self.place(self.path, self._query())

    def place(self, path: str, query: Mapping[str, str] = _NONE) -> str:
        """Return the address of a page of ours."""
        return f"{self.base}{quote(path)}{'?' if query else ''}{urlencode(query)}"

    def _query(self, *without: str) -> dict[str, str]:
        return {name: value for name, value in self.request.query_params.items() if name not in without}

    # ── where to go next ─────────────────────────────────────────────────────────────────────────

    @property
    def wanted(self) -> str | None:
        """Where the person was on the way to, if it is a place that they may be led to."""
        return safe_return(self.request.query_params.get("return_to"), self._pages.origins)

    @property
    def onward(self) -> str:
        """Where to go once the person is signed in."""
        return self.wanted or self.place(HOME)

    def with_return(self, path: str) -> str:
        """Return the address of a page of ours that leads on to where the person was on the way to."""
        return self.place(path, {"return_to": self.wanted} if self.wanted else {})

    # ── answers ──────────────────────────────────────────────────────────────────────────────────

    def page(self, name: str, status: int | None = None, **told: Any) -> Response:
        """Return a page; with the status of what is said on it, if it is about something wrong."""
        about = {"base": self.base, "here": self.path, "said": self.said}
        address = self.place(self.path, self._query("language"))
        page = self._pages.render(name, self.language, **{**about, "address": address, **self._own(), **told})
        answer = Response(page.html, status or self.said.status, self._headers(page.language), "text/html")
        if self.said.path:
            self.home.cookies.clear(answer, self.home.cookies.said_name)
        return answer

    def _headers(self, language: str) -> dict[str, str]:
        return {
            "Content-Security-Policy": self._pages.policy,
            "Content-Language": language,
            # Forms of ours shall say where they come from.
            "Referrer-Policy": "same-origin",
            "Vary": "Accept-Language, Cookie",
        }

    def _own(self) -> dict[str, Any]:
        if self.signed_in is None:
            return {}
        cookie = self.request.cookies[self.home.cookies.session_name]
        return {"user": self.signed_in.caller.profile, "csrf": self.home.cookies.csrf_token(cookie)}

    def go(self, address: str, notice: str = "", **typed: str) -> Response:
        """Lead to an address, where a notice is to be said, or a form to be filled."""
        answer = Response(status_code=303, headers={"Location": address})
        if notice or typed:
            path = address.partition("?")[0].removeprefix(self.base)
            self._keep(answer, Said(path, notice=notice, typed=typed))
        return answer

    def back(self, error: DomainError | ValidationError, form: Mapping[str, str], **names: str) -> Response:
        """Lead back to the form with what is wrong with it. `names` are fields that a service calls otherwise."""
        problems = self.request.app.state.problems
        status = 422 if isinstance(error, ValidationError) else problems.status(error)
        if isinstance(error, DomainError):
            self.request.scope.get("gatepost.told", {})["problem"] = error.code
        answer = Response(status_code=303, headers={"Location": self.here})
        wrong = what_is_wrong(error, names)
        self._keep(answer, Said(self.path, status, wrong=wrong, typed=typed_in(form)))
        return answer

    def speak(self, language: str) -> Response:
        """Keep a language for this browser, and show the page in it."""
        answer = Response(
            status_code=303, headers={"Location": self.place(self.path, self._query("language"))}
        )
        if self._pages.speaks(language):
            self.home.cookies.set(answer, self.home.cookies.language_name, language, _A_YEAR)
        return answer

    def _keep(self, answer: Response, said: Said) -> None:
        self.home.cookies.set(answer, self.home.cookies.said_name, said.pack(), _A_WHILE)

    def keep(self, answer: Response, page: str, whose: object, **told: Any) -> None:
        """Have a page show something secret to somebody, for ten minutes, as often as they look."""
        until = self.home.clock.now() + _KEPT
        sealed = self._pages.kept.seal(told, page, str(whose), until)
        self.home.cookies.set(answer, self.home.cookies.kept_name, sealed, int(_KEPT.total_seconds()))

    def kept(self, whose: object) -> dict[str, Any] | None:
        """Return what this page is to show to somebody."""
        sealed = self.request.cookies.get(self.home.cookies.kept_name)
        return self._pages.kept.open(sealed, self.path, str(whose), self.home.clock.now())

    def forget(self, answer: Response) -> Response:
        """Return an answer by which the browser has nothing more to show."""
        self.home.cookies.clear(answer, self.home.cookies.kept_name)
        return answer

    # ── work ─────────────────────────────────────────────────────────────────────────────────────

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work of whoever asks."""
        work: AbstractAsyncContextManager[Work] = self.home.work(
            client=client_info(self.request), actor=self.me_here
        )
        return work

    def reading[S](self, service: type[S]) -> S:
        """Return a service that reads."""
        built: S = self.home.build(service, self.home.reading(client=client_info(self.request)))
        return built


class Member(Visit):
    """A visit of somebody who is signed in."""

    signed_in: Authenticated

    @property
    def me(self) -> Principal:
        """Who it is."""
        return self.signed_in.principal

    @property
    def profile(self) -> Any:
        """Their profile, as it was read for this request."""
        return self.signed_in.caller.profile

    async def need_authority(self) -> None:
        """Raise ReauthenticationRequired before a form that changes factors would be refused for want of it."""
        await self.reading(Factors).need_authority(self.me)

    def need_fresh(self) -> None:
        """Raise ReauthenticationRequired before somebody fills in a form that would be refused for its age."""
        self.me.need_fresh(self.home.settings.accounts.fresh_for, self.home.clock.now())


async def _signed_in(request: Request) -> tuple[Authenticated | None, bool]:
    """Return who is signed in in this browser, and whether somebody was who is not any more."""
    home = house(request)
    await home.keep_time()
    try:
        found: Authenticated | None = await home.browser_session(request)
    except TokenInvalid:
        return None, True
    if found is not None:
        home.sightings.saw(found.caller.session_id, found.caller.last_seen_at)
        request.scope.get("gatepost.told", {})["subject"] = str(found.principal.subject)
    return found, False


async def _visit(request: Request) -> Visit:
    found, _ = await _signed_in(request)
    return Visit(request, found)


async def _member(request: Request) -> Member:
    found, over = await _signed_in(request)
    if found is None:
        raise SignInFirst(Visit(request, None), over=over)
    return Member(request, found)


VisitHere = Annotated[Visit, Depends(_visit)]
MemberHere = Annotated[Member, Depends(_member)]


async def _form(request: Request) -> dict[str, str]:
    house(request).cookies.need_page(request)
    return await read_form(request)


async def _own_form(visit: MemberHere, form: Annotated[dict[str, str], Depends(_form)]) -> dict[str, str]:
    need_own(visit, form)
    return form


def need_own(visit: Visit, form: Mapping[str, str]) -> None:
    """Raise FormExpired if a form is not of the session that is signed in."""
    cookies = visit.home.cookies
    if not cookies.is_csrf_token(form.get("csrf", ""), visit.request.cookies[cookies.session_name]):
        raise FormExpired


FormHere = Annotated[dict[str, str], Depends(_form)]
"""A form of a page for everybody: from a page of ours."""
OwnFormHere = Annotated[dict[str, str], Depends(_own_form)]
"""A form of somebody who is signed in: from a page of ours, and of this session."""
