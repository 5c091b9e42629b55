"""How to come in by every way there is, so that no test forgets one."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost
from gatepost.login import WAYS, InvalidCredentials, Way
from tests.conftest import open_client
from tests.make import Person

__all__ = ["ENTRANCES", "Attempt", "Entrance", "assert_in", "entrance_of", "sessions_of"]

ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Attempt:
    """Somebody on the way in: a client of their own, and what they carry from step to step."""

    gatepost: Gatepost
    client: AsyncClient
    person: Person
    carried: dict[str, Any] = field(default_factory=dict)

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
        assert answer.json()["next"] == ["password"]
        attempt.carried |= {"flow": answer.json()["flow"], "binding": answer.json()["binding"]}

    return begin


async def _prove(attempt: Attempt) -> Response:
    body = {**attempt.carried, "method": "password", **attempt.credentials}
    return await attempt.client.post("/login/proof", json=body, headers={"Origin": ORIGIN})


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


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────


async def _on_the_sign_in_page(attempt: Attempt) -> Response:
    form = {"email": attempt.person.email, "password": attempt.person.password, "remember": "on"}
    answer = await attempt.client.post("/sign-in", data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


async def _confirm_on_a_page(attempt: Attempt) -> Response:
    form = {"csrf": attempt.carried["X-CSRF-Token"], "password": attempt.person.password}
    answer = await attempt.client.post("/account/confirm", data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


async def _as_the_api_would_say(attempt: Attempt, answer: Response) -> Response:
    """Return what a page answers to its form, as the API would put it, for tests that ask every way the same."""
    if answer.status_code == 303 and answer.headers["location"] == "/account":
        return Response(200, json={}, request=answer.request)
    shown = await attempt.client.get(answer.headers["location"]) if answer.status_code == 303 else answer
    problem = re.findall('data-problem="([a-z-]+)"', shown.text)
    notice = re.findall('data-notice="([a-z-]+)"', shown.text)
    known = {"verify-first": (403, "email-unverified"), "session-over": (401, "session-over")}
    status, code = known[notice[0]] if notice else (shown.status_code, problem[0])
    detail = InvalidCredentials.sentence if code == InvalidCredentials.code else code
    body = {"type": code, "title": code, "status": status, "detail": detail, "code": code}
    instance = answer.headers["x-request-id"]
    headers = {"Content-Type": "application/problem+json", "X-Request-ID": instance}
    return Response(status, json={**body, "instance": instance}, headers=headers, request=answer.request)


ENTRANCES = {
    "token endpoint": (_nothing, _at_the_token_endpoint),
    "browser": (_nothing, _in_a_browser),
    "flow for tokens": (_begin_flow("bearer"), _prove),
    "flow for a browser": (_begin_flow("cookie"), _prove),
    "reauthentication with tokens": (_hold_tokens, _reauthenticate),
    "reauthentication in a browser": (_hold_a_cookie, _reauthenticate),
    "sign-in page": (_nothing, _on_the_sign_in_page),
    "confirmation page": (_hold_a_cookie, _confirm_on_a_page),
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
    body = answer.json()
    tokens = body.get("tokens") or body
    headers = {}
    if "access_token" in tokens:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    else:
        assert any("gp_session" in name for name in attempt.client.cookies)
    me = await attempt.client.get("/users/me", headers=headers)
    assert me.json()["email"] == attempt.person.email


def assert_registered(paths: set[tuple[str, str]]) -> None:
    """Fail if a way names a path that there is not."""
    assert {(way.method.lower(), urlsplit(way.path).path) for way in WAYS} <= paths
