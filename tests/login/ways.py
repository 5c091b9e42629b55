"""How to come in by every way there is, so that no test forgets one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost
from gatepost.core.mail import MemoryTransport
from gatepost.core.secrets import new_token
from gatepost.login import WAYS, Way
from gatepost.users import UserNotFound, Users
from tests.conftest import open_client
from tests.make import PASSWORD, Person
from tests.post import Letter
from tests.running_redis import until
from tests.security.expect import assert_problem

__all__ = ["ENTRANCES", "Attempt", "Entrance", "assert_in", "assert_refused", "entrance_of", "sessions_of"]

ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Attempt:
    """Somebody on the way in: a client of their own, and what they carry from step to step."""

    gatepost: Gatepost
    client: AsyncClient
    person: Person
    carried: dict[str, Any] = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        """Whether what is shown shall be wrong: then the password is another than everybody's."""
        return self.person.password != PASSWORD

    @property
    def credentials(self) -> dict[str, str]:
        return {"username": self.person.email, "password": self.person.password}


@dataclass(frozen=True)
class Entrance:
    """What comes before the proof (`begin`), and the request that brings it (`finish`)."""

    way: Way
    begin: Callable[[Attempt], Awaitable[None]]
    finish: Callable[[Attempt], Awaitable[Response]]


async def _nothing(attempt: Attempt) -> None:
    """Most ways begin with the proof."""


async def _at_the_token_endpoint(attempt: Attempt) -> Response:
    return await attempt.client.post("/users/token", data=attempt.credentials)


async def _in_a_browser(attempt: Attempt) -> Response:
    return await attempt.client.post("/session", json=attempt.credentials, headers={"Origin": ORIGIN})


def _begin_flow(carrier: str) -> Callable[[Attempt], Awaitable[None]]:
    async def begin(attempt: Attempt) -> None:
        answer = await attempt.client.post("/login", json={"carrier": carrier}, headers={"Origin": ORIGIN})
        assert answer.status_code == 200, answer.text
        assert answer.json()["next"] == ["password", "mail"]
        attempt.carried |= {"flow": answer.json()["flow"], "binding": answer.json()["binding"]}

    return begin


async def _prove(attempt: Attempt) -> Response:
    body = {**attempt.carried, "method": "password", **attempt.credentials}
    return await attempt.client.post("/login/proof", json=body, headers={"Origin": ORIGIN})


def _begin_by_mail(carrier: str) -> Callable[[Attempt], Awaitable[None]]:
    async def begin(attempt: Attempt) -> None:
        await _begin_flow(carrier)(attempt)
        body = {**attempt.carried, "email": attempt.person.email}
        asked = await attempt.client.post("/login/mail", json=body, headers={"Origin": ORIGIN})
        assert (asked.status_code, asked.content) == (202, b""), asked.text
        letter = await _letter(attempt)
        attempt.carried["code"] = letter.code if letter else "000000"
        attempt.carried["wrong"] = letter.wrong_code if letter else "000000"
        attempt.carried["token"] = letter.token if letter else new_token("ml")

    return begin


async def _letter(attempt: Attempt) -> Letter | None:
    """Return the mail to sign in by, once it is there; None if nobody who may sign in gets one."""
    gatepost, sent = attempt.gatepost, attempt.gatepost.mail
    assert isinstance(sent, MemoryTransport)
    try:
        person = await gatepost.build(Users, gatepost.reading()).profile(attempt.person.id)
    except UserNotFound:
        return None
    if not person.is_active:
        return None

    def found() -> list[Letter]:
        mails = [mail for mail in sent.sent if mail.kind == "sign_in_code" and mail.to == person.email]
        return [Letter(mail.kind, mail.to, mail.text) for mail in mails]

    await gatepost.worker.drain()
    await until(lambda: bool(found()))
    letter = found()[-1]
    sent.sent.clear()
    return letter


async def _prove_by_code(attempt: Attempt) -> Response:
    kept = {name: attempt.carried[name] for name in ("flow", "binding")}
    code = attempt.carried["wrong" if attempt.is_wrong else "code"]
    body = {**kept, "method": "mail", "email": attempt.person.email, "code": code}
    return await attempt.client.post("/login/proof", json=body, headers={"Origin": ORIGIN})


async def _prove_by_link(attempt: Attempt) -> Response:
    kept = {name: attempt.carried[name] for name in ("flow", "binding")}
    token = new_token("ml") if attempt.is_wrong else attempt.carried["token"]
    body = {**kept, "method": "mail", "token": token}
    return await attempt.client.post("/login/proof", json=body, headers={"Origin": ORIGIN})


async def _press_the_button(attempt: Attempt) -> Response:
    token = new_token("ml") if attempt.is_wrong else attempt.carried["token"]
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    return await attempt.client.post("/sign-in-link", data={"token": token}, headers=headers)


async def _hold_tokens(attempt: Attempt) -> None:
    answer = await _at_the_token_endpoint(attempt)
    assert answer.status_code == 200, answer.text
    attempt.carried["Authorization"] = f"Bearer {answer.json()['access_token']}"


async def _hold_a_cookie(attempt: Attempt) -> None:
    answer = await _in_a_browser(attempt)
    assert answer.status_code == 200, answer.text
    attempt.carried |= {"Origin": ORIGIN, "X-CSRF-Token": answer.json()["csrf_token"]}


async def _reauthenticate(attempt: Attempt) -> Response:
    body = {"password": attempt.person.password}
    return await attempt.client.post("/users/me/reauthenticate", json=body, headers=attempt.carried)


ENTRANCES = {
    "token endpoint": (_nothing, _at_the_token_endpoint),
    "browser": (_nothing, _in_a_browser),
    "flow for tokens": (_begin_flow("bearer"), _prove),
    "flow for a browser": (_begin_flow("cookie"), _prove),
    "reauthentication with tokens": (_hold_tokens, _reauthenticate),
    "reauthentication in a browser": (_hold_a_cookie, _reauthenticate),
    "code by mail for tokens": (_begin_by_mail("bearer"), _prove_by_code),
    "link by mail for a browser": (_begin_by_mail("cookie"), _prove_by_link),
    "page of a link by mail": (_begin_by_mail("cookie"), _press_the_button),
}


def entrance_of(way: Way) -> Entrance:
    """Return how to come in by a way."""
    return Entrance(way, *ENTRANCES[way.name])


def attempt_of(gatepost: Gatepost, person: Person) -> Attempt:
    """Return somebody's attempt, with a client and a cookie jar of their own."""
    client = open_client(gatepost)
    client.base_url = URL("https://gatepost.test")  # cookies that are `Secure` are sent over https alone
    return Attempt(gatepost, client, person)


async def sessions_of(gatepost: Gatepost, person: Person) -> int:
    """Return how many live sessions somebody has."""
    from gatepost.sessions import Sessions

    return len(await gatepost.build(Sessions, gatepost.reading()).of(person.id))


async def assert_in(attempt: Attempt, answer: Response) -> None:
    """Fail unless the answer lets somebody in."""
    assert answer.status_code == 200, answer.text
    is_page = answer.headers["content-type"].startswith("text/html")
    body = {} if is_page else answer.json()
    tokens = body.get("tokens") or body
    headers = {}
    if "access_token" in tokens:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    else:
        assert any("gp_session" in name for name in attempt.client.cookies)
    me = await attempt.client.get("/users/me", headers=headers)
    assert me.json()["email"] == attempt.person.email


def assert_refused(way: Way, answer: Response, code: str) -> None:
    """Fail unless the answer refuses with this code; a page says no more than that its link is dead."""
    if way.page:
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    else:
        assert_problem(answer, 400)
        assert answer.json()["code"] == code, answer.text


def assert_registered(paths: set[tuple[str, str]]) -> None:
    """Fail if a way names a path that there is not."""
    assert {(way.method.lower(), urlsplit(way.path).path) for way in WAYS} <= paths
