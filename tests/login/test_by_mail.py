"""Signing in by mail: for whom it works and where, and what nobody learns by asking for it."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import Engine, event

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.http.cookies import CSRF_HEADER
from tests.conftest import open_client
from tests.login.ways import ORIGIN
from tests.make import PASSWORD, Make
from tests.post import Letter, Post, by_hand
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

SAME_ID = {"X-Request-ID": "the-same-for-all"}
PRESSED = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


def browser_of(gatepost: Gatepost) -> AsyncClient:
    client = open_client(gatepost)
    client.base_url = "https://gatepost.test"
    return client


async def begin(client: AsyncClient, carrier: str = "bearer") -> dict[str, str]:
    """Begin a flow; return what names it."""
    begun = await client.post("/login", json={"carrier": carrier}, headers={"Origin": ORIGIN})
    assert begun.json()["next"] == ["password", "mail", "passkey"]
    return {name: begun.json()[name] for name in ("flow", "binding")}


async def ask(client: AsyncClient, flow: dict[str, str], email: str) -> Response:
    headers = {"Origin": ORIGIN, **SAME_ID}
    return await client.post("/login/mail", json={**flow, "email": email}, headers=headers)


async def prove(client: AsyncClient, flow: dict[str, str], **shown: Any) -> Response:
    body = {**flow, "method": "mail", **shown}
    return await client.post("/login/proof", json=body, headers={"Origin": ORIGIN, **SAME_ID})


async def asked(client: AsyncClient, post: Post, flow: dict[str, str], email: str) -> Letter:
    assert (await ask(client, flow, email)).status_code == 202
    return await post.letter("sign_in_code")


async def press(client: AsyncClient, letter: Letter, **headers: str) -> Response:
    """Press the button; where it is done, the answer leads to a page that says so."""
    return await client.post(letter.page, data={"token": letter.token}, headers={**PRESSED, **headers})


async def test_it_is_a_single_factor_and_marks_the_address_as_verified(
    client: AsyncClient, make: Make, post: Post
) -> None:
    person = await make.user()
    flow = await begin(client)
    letter = await asked(client, post, flow, person.email.upper())
    assert letter.to == person.email

    answer = await prove(client, flow, email=person.email, code=letter.code)

    token = answer.json()["tokens"]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    (session,) = (await client.get("/users/me/sessions", headers=headers)).json()["items"]
    assert (session["amr"], session["acr"]) == (["otp"], "urn:gatepost:acr:single-factor")
    assert (await client.get("/users/me", headers=headers)).json()["email_verified"]


async def test_a_code_works_only_where_it_was_asked_for_and_the_newest_alone(
    client: AsyncClient, make: Make, post: Post
) -> None:
    """ASVS 6.6.2: a code from one attempt is refused in another, and older codes are void."""
    person = await make.user()
    first, second = await begin(client), await begin(client)
    older = await asked(client, post, first, person.email)
    newer = await asked(client, post, second, person.email)

    for flow, letter in ((first, older), (second, older), (first, newer)):
        refused = await prove(client, flow, email=person.email, code=letter.code)
        assert (refused.status_code, refused.json()["detail"]) == (400, "Incorrect credentials")
    # Guesses of another client take nothing from the code.
    for _ in range(3):
        assert (await prove(client, first, email=person.email, code=newer.wrong_code)).status_code == 400
    assert (await prove(client, second, email=person.email, code=newer.code)).status_code == 200


async def test_e05_of_a_thousand_guesses_at_once_five_are_compared(
    gatepost: Gatepost, client: AsyncClient, make: Make, post: Post
) -> None:
    """The right one comes sixth: too late, however many flows and clients guess."""
    person = await make.user()
    flow = await begin(client)
    letter = await asked(client, post, flow, person.email)
    guesses = [prove(client, flow, email=person.email, code=letter.wrong_code) for _ in range(5)]
    assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {400}

    late = await prove(client, flow, email=person.email, code=letter.code)
    assert (late.status_code, late.json()["code"]) == (400, "login-flow-invalid")


async def test_e14_a_link_at_once_in_many_browsers_lets_one_in(
    gatepost: Gatepost, client: AsyncClient, make: Make, post: Post
) -> None:
    person = await make.user()
    letter = await asked(client, post, await begin(client), person.email)
    browsers = [browser_of(gatepost) for _ in range(20)]
    for browser in browsers:
        # Opening it is nothing, and elsewhere it says as whom one would sign in.
        page = await browser.get(letter.link)
        assert (page.status_code, page.text.count(person.email)) == (200, 1)
        assert "another browser or on another device" in page.text

    answers = await asyncio.gather(*(press(browser, letter) for browser in browsers))

    assert Counter(answer.status_code for answer in answers) == {303: 1, 400: 19}
    holding = [b for b, a in zip(browsers, answers, strict=True) if a.status_code == 303]
    assert (await holding[0].get("/session")).json()["user"]["email"] == person.email
    # Nobody said that this browser is to be kept signed in.
    (won,) = [answer for answer in answers if answer.status_code == 303]
    (cookie,) = [each for each in won.headers.get_list("set-cookie") if "gp_session" in each]
    assert "max-age" not in cookie.lower()


async def test_the_browser_that_asked_has_one_button_and_ends_its_flow(
    gatepost: Gatepost, make: Make, post: Post
) -> None:
    person = await make.user()
    browser = browser_of(gatepost)
    flow = await begin(browser, "cookie")
    letter = await asked(browser, post, flow, person.email)
    kept = dict(browser.cookies)
    assert "another" not in (await browser.get(letter.link)).text

    # An old browser tells nothing of where the form was; the cookie of the flow does.
    done = await browser.post(letter.page, data={"token": letter.token}, headers={"Origin": "null"})

    assert done.status_code == 303
    signed_in = await browser.get("/session")
    assert signed_in.json()["user"]["email"] == person.email
    assert signed_in.headers[CSRF_HEADER]
    for name, value in kept.items():
        browser.cookies.set(name, value)
    assert (await prove(browser, flow, token=letter.token)).json()["code"] == "login-flow-invalid"


async def test_d07_no_other_page_presses_the_button(gatepost: Gatepost, make: Make, post: Post) -> None:
    """Signing a victim in as the attacker: the attacker has the link, and a page that the victim is on."""
    attacker = await make.user()
    own, victim = browser_of(gatepost), browser_of(gatepost)
    letter = await asked(own, post, await begin(own, "cookie"), attacker.email)
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        refused = await victim.post(letter.page, data={"token": letter.token}, headers=headers)
        assert (refused.status_code, 'data-problem="csrf-refused"' in refused.text) == (403, True)
        assert not victim.cookies
    assert (await press(own, letter)).status_code == 303


async def test_elsewhere_an_application_has_to_ask_first(client: AsyncClient, make: Make, post: Post) -> None:
    person = await make.user()
    letter = await asked(client, post, await begin(client), person.email)
    elsewhere = await begin(client)

    asks = await prove(client, elsewhere, token=letter.token)
    assert_problem(asks, 403)
    assert (asks.json()["code"], asks.json()["email"]) == ("asked-elsewhere", person.email)
    assert (await prove(client, elsewhere, token=letter.token, elsewhere=True)).status_code == 200


@no_database_matters
async def test_v636_switched_off_it_is_off_at_every_door(
    settings: Settings, clock: MovableClock, make: Make, client: AsyncClient, post: Post
) -> None:
    person = await make.user()
    letter = await asked(client, post, await begin(client), person.email)
    off = settings.model_copy(update={"login": settings.login.model_copy(update={"mail": False})})
    service = Gatepost(off, clock=clock)
    async with service.lifespan(), open_client(service) as other:
        begun = (await other.post("/login", json={})).json()
        assert begun["next"] == ["password", "passkey"]
        flow = {name: begun[name] for name in ("flow", "binding")}
        for answer in (
            await ask(other, flow, person.email),
            await prove(other, flow, email=person.email, code=letter.code),
            await prove(other, flow, token=letter.token, elsewhere=True),
        ):
            assert_problem(answer, 403)
            assert answer.json()["code"] == "sign-in-method-off"
        assert (await press(other, letter)).status_code == 400
        assert await Post(service).letters() == []


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement of every engine, from before the first connection on."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        # The signing keys are read from time to time, by whoever comes then.
        if "signing_keys" not in statement:
            seen.append(re.sub(r"\s+", " ", statement))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_g01_g03_nobody_learns_by_it_who_has_an_account(
    statements: list[str], client: AsyncClient, make: Make, post: Post
) -> None:
    known, disabled = await make.user(), await make.user()
    administrator = await make.signed_in(await make.administrator())
    await client.patch(f"/users/{disabled.id}", json={"is_active": False}, headers=administrator.headers)
    await post.letters()
    seen: dict[str, set[Any]] = {"asking": set(), "guessing": set(), "work": set(), "guesses": set()}
    for email in (known.email, known.email.upper(), "nobody@example.com", disabled.email):
        flow = await begin(client)
        statements.clear()
        answer = await ask(client, flow, email)
        seen["work"].add(tuple(statements))
        seen["asking"].add((answer.status_code, answer.content, tuple(answer.headers.raw)))
        for _ in range(3):
            statements.clear()
            wrong = await prove(client, flow, email=email, code="12345x")
            seen["guesses"].add(tuple(statements))
            seen["guessing"].add((wrong.status_code, wrong.content, tuple(wrong.headers.raw)))
    assert {name: len(found) for name, found in seen.items()} == dict.fromkeys(seen, 1), seen
    assert [letter.to for letter in await post.letters()] == [known.email] * 2


# ── what others had put there before ─────────────────────────────────────────────────────────────────


async def by_code(client: AsyncClient, post: Post, email: str) -> None:
    flow = await begin(client)
    letter = await asked(client, post, flow, email)
    assert (await prove(client, flow, email=email, code=letter.code)).status_code == 200


async def by_page(client: AsyncClient, post: Post, email: str) -> None:
    letter = await asked(client, post, await begin(client), email)
    assert (await press(client, letter)).status_code == 303


async def by_reset(client: AsyncClient, post: Post, email: str) -> None:
    await client.post("/password/forgot", json={"email": email})
    body = {"token": (await post.letter("reset_password")).token, "password": "another-good-one-77"}
    assert (await client.post("/password/reset", json=body)).status_code == 204


async def by_verifying(client: AsyncClient, post: Post, letter: Letter) -> None:
    form = {"token": letter.token, "password": "", "drop": "yes"}
    assert (await client.post(letter.page, data=form, headers=PRESSED)).status_code == 303


@pytest.mark.parametrize("prove_it", [by_code, by_page, by_reset, by_verifying])
async def test_a03_what_was_set_before_an_address_was_proven_comes_in_no_more(
    client: AsyncClient, make: Make, post: Post, prove_it: Any
) -> None:
    """The attacker signs up with the victim's address, has sessions, waits for another address, and had one before."""
    attacker = await make.signed_in(await make.user("first@evil.example"))
    await client.patch("/users/me", json={"email": "victim@example.com"}, headers=attacker.headers)
    way_back = await post.letter("email_changed")
    await client.post("/users/me/email", json={"email": "next@evil.example"}, headers=attacker.headers)
    waiting = await post.letter("change_email_confirm")
    await client.post("/users/me/email/verification", headers=attacker.headers)
    letter = await post.letter("verify_email")

    await prove_it(client, post, letter if prove_it is by_verifying else "victim@example.com")

    ended = await client.get("/users/me", headers=attacker.headers)
    assert (ended.status_code, (await make.refresh(attacker.refresh_token)).status_code) == (401, 400)
    assert (await make.sign_in("victim@example.com", PASSWORD)).status_code == 400
    for path, token in (("/email/undo", way_back.token), ("/email/verify", waiting.token)):
        refused = await client.post(
            path, json={"token": token, **({} if "undo" in path else {"password": PASSWORD})}
        )
        assert (refused.status_code, refused.json()["code"]) == (400, "mail-proof-invalid")


async def test_who_verifies_their_own_keeps_their_password(
    client: AsyncClient, make: Make, post: Post
) -> None:
    """By the code; by the link where one is signed in, or with the password."""
    for number, how in enumerate(("code", "session", "password")):
        me = await make.signed_in(await make.user(f"own{number}@example.com"))
        await client.post("/users/me/email/verification", headers=me.headers)
        letter = await post.letter("verify_email")
        bare = await client.post("/email/verify", json={"token": letter.token})
        assert_problem(bare, 403)
        assert bare.json()["code"] == "password-needed"
        body: dict[str, str] = {
            "code": {"email": me.person.email, "code": letter.code},
            "session": {"token": letter.token},
            "password": {"token": letter.token, "password": PASSWORD},
        }[how]
        headers = me.headers if how == "session" else {}
        assert (await client.post("/email/verify", json=body, headers=headers)).status_code == 204
        assert (await client.get("/users/me", headers=me.headers)).json()["email_verified"], how
        assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


async def test_in_ones_own_browser_signing_in_by_mail_takes_nothing_away(
    gatepost: Gatepost, make: Make, post: Post
) -> None:
    person = await make.user()
    browser = browser_of(gatepost)
    sign_in = {"username": person.email, "password": PASSWORD}
    assert (await browser.post("/session", json=sign_in, headers={"Origin": ORIGIN})).status_code == 200
    letter = await asked(browser, post, await begin(browser, "cookie"), person.email)

    assert (await press(browser, letter)).status_code == 303

    assert (await browser.get("/session")).json()["user"]["email_verified"]
    assert (await make.sign_in(person.email, PASSWORD)).status_code == 200
