"""How to come in by every way there is, so that no test forgets one."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost
from gatepost.core.mail import MemoryTransport
from gatepost.core.secrets import new_token
from gatepost.login import WAYS, InvalidCredentials, Way
from gatepost.pages.said import Said
from gatepost.users import UserNotFound, Users
from tests.authenticator import Authenticator, Twist
from tests.conftest import open_client
from tests.login import factors
from tests.make import PASSWORD, Person
from tests.mfa.people import App
from tests.post import Letter
from tests.running_redis import until
from tests.security.expect import assert_problem

__all__ = [
    "ENTRANCES",
    "Attempt",
    "Entrance",
    "assert_in",
    "assert_refused",
    "attempt_of",
    "entrance_of",
    "is_page",
    "sessions_of",
]

ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Attempt:
    """Somebody on the way in: a client of their own, and what they carry from step to step."""

    gatepost: Gatepost
    client: AsyncClient
    person: Person
    carried: dict[str, Any] = field(default_factory=dict)
    key: Authenticator = field(default_factory=Authenticator)
    app: App | None = None
    refused: Response | None = None
    """What the first of several steps was refused with."""

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
        assert answer.json()["next"] == ["password", "mail", "passkey"]
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
        return [Letter(mail.kind, mail.to, mail.text, mail.html) for mail in mails]

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
    form = {"token": token}
    return await attempt.client.post("/sign-in-link", data=form, headers=headers, follow_redirects=True)


async def _begin_by_mail_on_a_page(attempt: Attempt) -> None:
    form = {"email": attempt.person.email, "remember": "on"}
    answer = await attempt.client.post("/sign-in/mail", data=form, headers={"Origin": ORIGIN})
    assert answer.status_code == 303, answer.text
    letter = await _letter(attempt)
    attempt.carried["address"] = answer.headers["location"]
    attempt.carried["code"] = letter.code if letter else "000000"
    attempt.carried["wrong"] = letter.wrong_code if letter else "000000"


async def _enter_the_code_on_a_page(attempt: Attempt) -> Response:
    code = attempt.carried["wrong" if attempt.is_wrong else "code"]
    form = {"email": attempt.person.email, "code": code}
    address = attempt.carried["address"]
    answer = await attempt.client.post(address, data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


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
    place = answer.headers.get("location", "").partition("?")[0]
    if answer.status_code == 303 and place in {"/account", "/account/security/codes"}:
        return Response(200, json={}, request=answer.request)
    if answer.status_code == 303:
        said = Said.unpack(answer.cookies.get("__Host-gp_said"), place)
        known = {
            "verify-first": (403, "email-unverified"),
            "session-over": (401, "session-over"),
            "flow-over": (400, "login-flow-invalid"),
        }
        if said.notice:
            status, code = known[said.notice]
        elif said.wrong:
            status, code = said.status, said.wrong[0].code
        else:  # to the sign-in, like anybody without a session
            assert place == "/sign-in", place
            status, code = 401, "unauthenticated"
    else:
        status, code = answer.status_code, re.findall('data-problem="([a-z-]+)"', answer.text)[0]
    detail = InvalidCredentials.sentence if code == InvalidCredentials.code else code
    body = {"type": code, "title": code, "status": status, "detail": detail, "code": code}
    instance = answer.headers["x-request-id"]
    headers = {"Content-Type": "application/problem+json", "X-Request-ID": instance}
    return Response(status, json={**body, "instance": instance}, headers=headers, request=answer.request)


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


# ── with factors ─────────────────────────────────────────────────────────────────────────────────────

# What is sent where the first step was refused, and there is no flow.
_NO_FLOW = {"flow": "gp_lf_none", "binding": None}


async def _give(attempt: Attempt, factor: str) -> None:
    if factor == "app":
        attempt.app = await factors.give_app(attempt.gatepost, attempt.person.id)
    else:
        attempt.key = Authenticator(verifies=factor == "passkey")
        await factors.give_passkey(attempt.gatepost, attempt.person.id, attempt.key)


def _begin_with_password(carrier: str, factor: str | None) -> Callable[[Attempt], Awaitable[None]]:
    """Show a password where a second step follows."""

    async def begin(attempt: Attempt) -> None:
        if factor:
            await _give(attempt, factor)
        show = _in_a_browser if carrier == "cookie" else _at_the_token_endpoint
        _go_on(attempt, await show(attempt))
        if factor is None and attempt.refused is None:
            await _begin_enrolling(attempt, carrier)
        elif factor == "key":
            await _ask_for_a_passkey(attempt)

    return begin


def _go_on(attempt: Attempt, answer: Response) -> None:
    found = answer.json()
    if found.get("code") != "mfa-required":
        attempt.refused, attempt.carried = answer, dict(_NO_FLOW)
        return
    assert (answer.status_code, found["error"]) == (403, "mfa_required")
    attempt.carried |= {"flow": found["flow"], "binding": found["binding"]}


async def _begin_enrolling(attempt: Attempt, carrier: str) -> None:
    kind = "passkey" if carrier == "cookie" else "totp"
    path = f"/login/enrol/{kind}"
    asked = await attempt.client.post(path, json=_flow_of(attempt), headers={"Origin": ORIGIN})
    assert asked.status_code == 200, asked.text
    attempt.carried["asked"] = asked.json()


async def _ask_for_a_passkey(attempt: Attempt) -> None:
    body = _flow_of(attempt)
    asked = await attempt.client.post("/login/passkey/options", json=body, headers={"Origin": ORIGIN})
    if asked.status_code == 200:
        attempt.carried["asked"] = asked.json()


def _flow_of(attempt: Attempt) -> dict[str, Any]:
    return {name: attempt.carried[name] for name in ("flow", "binding")}


def _begin_with_passkey(carrier: str) -> Callable[[Attempt], Awaitable[None]]:
    async def begin(attempt: Attempt) -> None:
        await _give(attempt, "passkey")
        await _begin_flow(carrier)(attempt)
        await _ask_for_a_passkey(attempt)

    return begin


async def _begin_with_mail_and_app(attempt: Attempt) -> None:
    await _give(attempt, "app")
    # Otherwise the mail takes the app away: whoever reads it need not be who added it.
    await factors.verify(attempt.gatepost, attempt.person.id)
    await _begin_by_mail("bearer")(attempt)
    answer = await _prove_by_code(attempt)
    if answer.status_code == 200:
        assert answer.json()["next"] == ["totp", "recovery_code"], answer.text


async def _step(attempt: Attempt, method: str, **evidence: Any) -> Response:
    body = {**_flow_of(attempt), "method": method, **evidence}
    return await attempt.client.post("/login/proof", json=body, headers={"Origin": ORIGIN})


def _code(attempt: Attempt) -> str:
    now = attempt.gatepost.clock.now()
    if attempt.app is None:
        return "000000"
    return (
        attempt.app.wrong_code(now) if attempt.is_wrong else factors.next_code(attempt.gatepost, attempt.app)
    )


async def _begin_on_the_sign_in_page(attempt: Attempt) -> None:
    form = {"email": attempt.person.email, "password": attempt.person.password, "remember": "on"}
    answer = await attempt.client.post("/sign-in", data=form, headers={"Origin": ORIGIN})
    attempt.carried["address"] = address = answer.headers["location"]
    if not address.startswith(("/sign-in/step?", "/sign-in/enrol?")):
        attempt.refused = await _as_the_api_would_say(attempt, answer)
        attempt.carried["address"] = "/sign-in/step?flow=gp_lf_none"


async def _begin_with_an_app_on_a_page(attempt: Attempt) -> None:
    await _give(attempt, "app")
    await _begin_on_the_sign_in_page(attempt)


async def _step_on_a_page(attempt: Attempt) -> Response:
    form = {"code": _code(attempt), "do": "totp"}
    answer = await attempt.client.post(attempt.carried["address"], data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


async def _begin_to_enrol_on_a_page(attempt: Attempt) -> None:
    await _begin_on_the_sign_in_page(attempt)
    address = attempt.carried["address"]
    await attempt.client.post(address, data={"do": "begin"}, headers={"Origin": ORIGIN})
    page = await attempt.client.get(address)
    uris = re.findall(r'href="(otpauth:[^"]+)"', page.text)
    attempt.app = App(UUID(int=0), unescape(uris[0])) if uris else None


async def _enrol_on_a_page(attempt: Attempt) -> Response:
    now = attempt.gatepost.clock.now()
    code = "000000"
    if attempt.app is not None:
        code = attempt.app.wrong_code(now) if attempt.is_wrong else attempt.app.code(now)
    form = {"code": code, "do": "confirm"}
    answer = await attempt.client.post(attempt.carried["address"], data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


async def _ask_for_a_passkey_on_a_page(attempt: Attempt) -> None:
    answer = await attempt.client.post(
        "/sign-in/passkey/options", data={"remember": "on"}, headers={"Origin": ORIGIN}
    )
    found = answer.json()
    attempt.carried |= {"flow": found["flow"], "binding": found["binding"], "asked": found["publicKey"]}


async def _begin_with_a_passkey_on_a_page(attempt: Attempt) -> None:
    await _give(attempt, "passkey")
    await _ask_for_a_passkey_on_a_page(attempt)


async def _show_a_passkey_on_a_page(attempt: Attempt) -> Response:
    form = {**_flow_of(attempt), "credential": json.dumps(_signed(attempt))}
    answer = await attempt.client.post("/sign-in", data=form, headers={"Origin": ORIGIN})
    return await _as_the_api_would_say(attempt, answer)


async def _prove_by_app(attempt: Attempt) -> Response:
    return await _step(attempt, "totp", code=_code(attempt))


async def _go_on_at_the_token_endpoint(attempt: Attempt) -> Response:
    form = {
        "grant_type": "urn:gatepost:params:oauth:grant-type:mfa",
        "flow": attempt.carried["flow"],
        "binding": attempt.carried["binding"] or "gp_lb_none",
        "method": "totp",
        "code": _code(attempt),
    }
    return await attempt.client.post("/users/token", data=form)


async def _prove_by_recovery_code(attempt: Attempt) -> Response:
    codes = attempt.app.recovery_codes if attempt.app else ()
    code = "0000-0000" if attempt.is_wrong or not codes else codes[0]
    return await _step(attempt, "recovery_code", code=code)


def _signed(attempt: Attempt) -> dict[str, Any]:
    asked = attempt.carried.get("asked") or {"challenge": "AAAA", "rpId": "localhost", "allowCredentials": []}
    twist = Twist(signature=lambda made: made[:-1] + bytes([made[-1] ^ 1])) if attempt.is_wrong else Twist()
    return attempt.key.get(asked, factors.ORIGIN, twist)


async def _prove_by_passkey(attempt: Attempt) -> Response:
    # Each answer uses its question up; a wrong one, too.
    if attempt.is_wrong or attempt.carried.pop("spent", False):
        await _ask_for_a_passkey(attempt)
        attempt.carried["spent"] = True
    return await _step(attempt, "passkey", credential=_signed(attempt))


async def _prove_by_new_app(attempt: Attempt) -> Response:
    asked = attempt.carried.get("asked")
    if asked is None:
        return await _step(attempt, "enrol_totp", id=str(attempt.person.id), code="000000")
    app, now = App(asked["id"], asked["uri"]), attempt.gatepost.clock.now()
    code = app.wrong_code(now) if attempt.is_wrong else app.code(now)
    return await _step(attempt, "enrol_totp", id=asked["id"], code=code)


async def _prove_by_new_passkey(attempt: Attempt) -> Response:
    asked = attempt.carried.get("asked") or {
        "challenge": "AAAA",
        "rp": {"id": "localhost"},
        "user": {"id": "AAAA"},
        "pubKeyCredParams": [],
    }
    twist = Twist(client={"origin": "https://evil.example"}) if attempt.is_wrong else Twist()
    made = Authenticator().create(asked, factors.ORIGIN, twist)
    return await _step(attempt, "enrol_passkey", name="My phone", credential=made)


async def _hold_tokens_with_an_app(attempt: Attempt) -> None:
    await _begin_with_password("bearer", "app")(attempt)
    answer = await _prove_by_recovery_code(attempt)
    assert answer.status_code == 200, answer.text
    attempt.carried["Authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"


async def _reauthenticate_with_an_app(attempt: Attempt) -> Response:
    body = {"password": attempt.person.password, "code": _code(attempt)}
    headers = {"Authorization": attempt.carried["Authorization"]}
    return await attempt.client.post("/users/me/reauthenticate", json=body, headers=headers)


async def _hold_a_cookie_and_a_passkey(attempt: Attempt) -> None:
    await _hold_a_cookie(attempt)
    await _give(attempt, "passkey")
    path, headers = "/users/me/reauthenticate/options", attempt.carried
    attempt.carried = {**headers, "asked": (await attempt.client.post(path, headers=headers)).json()}


async def _reauthenticate_with_a_passkey(attempt: Attempt) -> Response:
    headers = {name: attempt.carried[name] for name in ("Origin", "X-CSRF-Token")}
    body = {"credential": _signed(attempt)}
    return await attempt.client.post("/users/me/reauthenticate", json=body, headers=headers)


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
    "sign-in page": (_nothing, _on_the_sign_in_page),
    "confirmation page": (_hold_a_cookie, _confirm_on_a_page),
    "page of a code by mail": (_begin_by_mail_on_a_page, _enter_the_code_on_a_page),
    "sign-in page with a passkey": (_begin_with_a_passkey_on_a_page, _show_a_passkey_on_a_page),
    "page of the second step": (_begin_with_an_app_on_a_page, _step_on_a_page),
    "page of an app that is added": (_begin_to_enrol_on_a_page, _enrol_on_a_page),
    "passkey for tokens": (_begin_with_passkey("bearer"), _prove_by_passkey),
    "passkey for a browser": (_begin_with_passkey("cookie"), _prove_by_passkey),
    "password and app for a browser": (_begin_with_password("cookie", "app"), _prove_by_app),
    "password and app at the token endpoint": (
        _begin_with_password("bearer", "app"),
        _go_on_at_the_token_endpoint,
    ),
    "password and recovery code for tokens": (_begin_with_password("bearer", "app"), _prove_by_recovery_code),
    "password and key for a browser": (_begin_with_password("cookie", "key"), _prove_by_passkey),
    "mail and app for tokens": (_begin_with_mail_and_app, _prove_by_app),
    "app that is added for tokens": (_begin_with_password("bearer", None), _prove_by_new_app),
    "passkey that is added for a browser": (_begin_with_password("cookie", None), _prove_by_new_passkey),
    "reauthentication with an app": (_hold_tokens_with_an_app, _reauthenticate_with_an_app),
    "reauthentication with a passkey": (_hold_a_cookie_and_a_passkey, _reauthenticate_with_a_passkey),
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
    body = {} if is_page(answer) else answer.json()
    tokens = body.get("tokens") or body
    headers = {}
    if "access_token" in tokens:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    else:
        assert any("gp_session" in name for name in attempt.client.cookies)
    me = await attempt.client.get("/users/me", headers=headers)
    assert me.json()["email"] == attempt.person.email


def is_page(answer: Response) -> bool:
    """Tell whether the answer is a page."""
    return answer.headers["content-type"].startswith("text/html")


def assert_refused(way: Way, answer: Response, code: str) -> None:
    """Fail unless the answer refuses with this code; the page of a link says no more than that it is dead."""
    if is_page(answer):
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    else:
        assert_problem(answer, 400)
        assert answer.json()["code"] == code, answer.text


def assert_registered(paths: set[tuple[str, str]]) -> None:
    """Fail if a way names a path that there is not."""
    assert {(way.method.lower(), urlsplit(way.path).path) for way in WAYS} <= paths
