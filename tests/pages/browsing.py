"""A browser without scripts: it opens pages, keeps cookies, fills in forms and presses buttons."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost
from tests.conftest import open_client

__all__ = ["HOST", "ORIGIN", "Browser", "Form", "Seen"]

HOST = "https://gatepost.test"
# Where the settings of tests say that the service is, which is where its pages come from.
ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Form:
    """A form, what a browser would send with it, and its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Seen(HTMLParser):
    """A page as it was answered."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        assert not {name for name in known if name.startswith("on") or name == "style"}, known
        if tag == "form":
            self.forms.append(Form(known.get("action", ""), known["method"]))
        if tag in {"a", "link"}:
            self.links.append(known["href"])
        if tag in {"script", "img"} or (tag == "link" and known["rel"] in {"stylesheet", "icon"}):
            self.loads.append(known.get("src") or known["href"])
        if tag == "input":
            ticked = known.get("type") == "checkbox"
            if not ticked or "checked" in known:
                self.forms[-1].fields[known["name"]] = "on" if ticked else known.get("value", "")
        if tag == "select":
            self.forms[-1].fields[known["name"]] = ""
        if tag == "button":
            self.forms[-1].buttons.append((known.get("name", ""), known.get("value", "")))

    @property
    def path(self) -> str:
        """Where it is."""
        return self.answer.request.url.path

    @property
    def title(self) -> str:
        """Its heading."""
        return _one(r"<h1>\s*(.+?)\s*</h1>", self.answer.text)

    @property
    def problem(self) -> str:
        """The code of what is wrong, empty if nothing is."""
        return _one('data-problem="([a-z-]+)"', self.answer.text)

    @property
    def notice(self) -> str:
        """The code of what was done, empty if nothing was."""
        return _one('data-notice="([a-z-]+)"', self.answer.text)


def _one(pattern: str, text: str) -> str:
    found = re.findall(pattern, text, re.DOTALL)
    return found[0] if found else ""


class Browser:
    """Somebody in front of a service. What they see last is `seen`."""

    def __init__(self, gatepost: Gatepost, **headers: str) -> None:
        self.client: AsyncClient = open_client(gatepost, headers=headers)
        self.client.base_url = URL(HOST)  # cookies that are `Secure` are sent over https alone
        self.seen: Seen

    async def open(self, address: str | URL) -> Seen:
        """Open an address."""
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
        return await self._follow(await self.client.get(address, headers=headers))

    async def send(self, button: tuple[str, str] | None = None, origin: str = ORIGIN, **typed: str) -> Seen:
        """Fill in the form that has this button, or these fields, and press it."""
        form = self.form(button, *typed)
        given = {**form.fields, **typed, **(dict([button]) if button else {})}
        address = form.action or str(self.seen.answer.request.url)
        return await self._follow(
            await self.client.post(address, data=given, headers={"Origin": origin}), form=True
        )

    def form(self, button: tuple[str, str] | None = None, *fields: str) -> Form:
        """Return the first form that has this button and these fields."""
        found = [
            form
            for form in self.seen.forms
            if (button is None or button in form.buttons)
            and form.fields.keys() >= set(fields)
            and (not form.action.endswith("/sign-out") or len(self.seen.forms) == 1)
        ]
        assert found, f"{self.seen.path}: no such form: {self.seen.forms}"
        return found[0]

    async def _follow(self, answer: Response, *, form: bool = False) -> Seen:
        if form:
            # Post/redirect/get: nothing that is shown can be sent a second time by mistake.
            assert answer.status_code == 303 or answer.status_code >= 400 or _is_file(answer), answer.text
        while answer.is_redirect:
            answer = await self.client.get(answer.headers["location"])
        self.seen = Seen(answer) if "html" in answer.headers["content-type"] else self.seen
        self.answer = answer
        return self.seen

    async def sign_in(self, email: str, password: str) -> Seen:
        """Sign in."""
        await self.open("/sign-in")
        return await self.send(email=email, password=password)


def _is_file(answer: Response) -> bool:
    return "attachment" in answer.headers.get("content-disposition", "")
