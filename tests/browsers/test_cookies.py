"""Sessions in cookies: what the browser is told to do with them, and which requests they open."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.http.cookies import Cookies
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make, Person
from tests.security.expect import assert_problem

OURS = "https://auth.example.com"
APP = "https://app.example.com"
NAME = "__Host-gp_session"
FOREIGN = ["https://evil.example", "null", "http://auth.example.com", "https://auth.example.com.evil.example"]
FOREIGN += ["https://evilapp.example.com", "https://auth.example.com:8443", "file://", ""]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A service under https, whose cookies the pages of one other origin may use."""
    return make_settings(database_url, tmp_path, public_url=OURS, cors_origins=[APP])


@pytest.fixture
async def browser(gatepost: Gatepost) -> AsyncIterator[AsyncClient]:
    """A browser: it keeps cookies."""
    async with opened(gatepost) as client:
        yield client


def opened(gatepost: Gatepost) -> AsyncClient:
    client = open_client(gatepost)
    client.base_url = URL(OURS)
    return client


async def sign_in(browser: AsyncClient, person: Person, origin: str | None = OURS, **more: Any) -> Response:
    body = {"username": person.email, "password": person.password, **more}
    return await browser.post("/session", json=body, headers={"Origin": origin} if origin is not None else {})


async def signed_in(browser: AsyncClient, person: Person) -> dict[str, str]:
    """Sign in; return the headers of a page of ours."""
    answer = await sign_in(browser, person)
    assert answer.status_code == 200, answer.text
    return {"Origin": OURS, "X-CSRF-Token": answer.json()["csrf_token"]}


def cookie(answer: Response) -> dict[str, str | bool]:
    (line,) = answer.headers.get_list("set-cookie")
    pair, *attributes = line.split("; ")
    found: dict[str, str | bool] = {"name": pair.partition("=")[0], "value": pair.partition("=")[2]}
    for attribute in attributes:
        name, is_set, value = attribute.partition("=")
        found[name.lower()] = value if is_set else True
    return found


async def test_the_cookie_is_out_of_reach(browser: AsyncClient, make: Make) -> None:
    answer = await sign_in(browser, await make.user())

    found = cookie(answer)
    assert found["name"] == NAME
    assert found["httponly"] is found["secure"] is True
    assert (found["samesite"], found["path"]) == ("lax", "/")
    assert "domain" not in found
    assert int(str(found["max-age"])) == timedelta(days=30).total_seconds()
    assert str(found["value"]) not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_browser_that_shall_not_remember_gets_a_cookie_until_it_is_closed(
    browser: AsyncClient, make: Make
) -> None:
    assert "max-age" not in cookie(await sign_in(browser, await make.user(), remember=False))


async def test_the_cookie_opens_the_same_api(browser: AsyncClient, make: Make) -> None:
    person = await make.user()
    page = await signed_in(browser, person)

    assert (await browser.get("/users/me")).json()["email"] == person.email
    changed = await browser.patch("/users/me", json={"name": "Ada"}, headers=page)
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada")
    (item,) = (await browser.get("/users/me/sessions")).json()["items"]
    assert (item["carrier"], item["current"]) == ("cookie", True)


async def test_who_is_signed_in_and_the_token_after_a_reload(browser: AsyncClient, make: Make) -> None:
    assert (await browser.get("/session")).json() == {
        "signed_in": False,
        "user": None,
        "session_id": None,
        "reason": None,
    }
    person = await make.user()
    page = await signed_in(browser, person)

    answer = await browser.get("/session")

    assert answer.json()["signed_in"] is True
    assert answer.json()["user"]["email"] == person.email
    assert answer.headers["x-csrf-token"] == page["X-CSRF-Token"]
    # A GET that another page may embed has no secret in its body.
    assert page["X-CSRF-Token"] not in answer.text


async def test_d09_signing_out_ends_the_session_on_the_server(
    gatepost: Gatepost, browser: AsyncClient, make: Make
) -> None:
    page = await signed_in(browser, await make.user())
    kept = browser.cookies[NAME]

    answer = await browser.delete("/session", headers=page)

    assert answer.status_code == 204
    assert cookie(answer)["max-age"] == "0"
    assert NAME not in browser.cookies
    async with opened(gatepost) as thief:
        thief.cookies.set(NAME, kept, domain="auth.example.com")
        assert_problem(await thief.get("/users/me"), 401)
        state = await thief.get("/session")
        assert (state.json()["signed_in"], state.json()["reason"]) == (False, "signed_out")
        assert cookie(state)["max-age"] == "0"
    assert (await browser.delete("/session")).status_code == 204


# ── which requests ───────────────────────────────────────────────────────────────────────────────────


async def test_csrf_what_changes_something_needs_the_token_and_an_allowed_page(
    browser: AsyncClient, make: Make
) -> None:
    page = await signed_in(browser, await make.user())
    token = {"X-CSRF-Token": page["X-CSRF-Token"]}
    refused = [
        {"Origin": OURS},
        {"Origin": OURS, "X-CSRF-Token": ""},
        {"Origin": OURS, "X-CSRF-Token": "0" * 64},
        {"Origin": OURS, "X-CSRF-Token": page["X-CSRF-Token"][:-1]},
        {**token, "Sec-Fetch-Site": "cross-site"},
        {**token, "Sec-Fetch-Site": "same-site"},
        *({**token, "Origin": origin} for origin in FOREIGN),
    ]
    calls = [
        ("PATCH", "/users/me"),
        ("DELETE", "/users/me"),
        ("POST", "/users/logout"),
        ("DELETE", "/users/me/sessions"),
        ("DELETE", "/session"),
        ("POST", "/users/me/reauthenticate"),
    ]
    for headers in refused:
        for method, path in calls:
            body = {"name": "Eve"} if method in {"PATCH", "POST"} else None
            answer = await browser.request(method, path, headers=headers, json=body)
            assert_problem(answer, 403)
            assert answer.json()["code"] == "csrf-refused", (headers, path)
    me = await browser.get("/users/me")
    assert me.json()["name"] is None
    for allowed in (page, {**token, "Origin": APP}, {**token, "Sec-Fetch-Site": "same-origin"}, token):
        answer = await browser.patch("/users/me", json={"name": "Ada"}, headers=allowed)
        assert answer.status_code == 200, allowed


async def test_anothers_csrf_token_is_none(gatepost: Gatepost, browser: AsyncClient, make: Make) -> None:
    async with opened(gatepost) as attacker:
        theirs = await signed_in(attacker, await make.user())
    await signed_in(browser, await make.user())

    assert_problem(await browser.patch("/users/me", json={"name": "Eve"}, headers=theirs), 403)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_login_csrf_nobody_is_signed_in_by_a_foreign_page(
    browser: AsyncClient, make: Make, origin: str
) -> None:
    person = await make.user()

    assert_problem(await sign_in(browser, person, origin), 403)
    assert_problem(await browser.post("/login", json={"carrier": "cookie"}, headers={"Origin": origin}), 403)
    form = {"username": person.email, "password": PASSWORD}
    assert (await browser.post("/session", data=form, headers={"Origin": origin})).status_code in {403, 415}
    assert not list(browser.cookies)


async def test_j04_a_form_signs_nobody_in(browser: AsyncClient, make: Make) -> None:
    person = await make.user()
    text = f'{{"username": "{person.email}", "password": "{PASSWORD}"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"):
        answer = await browser.post("/session", content=text, headers={"Content-Type": kind})
        assert_problem(answer, 415)
    assert not list(browser.cookies)


async def test_a_token_in_the_header_counts_before_the_cookie(browser: AsyncClient, make: Make) -> None:
    await signed_in(browser, await make.user())
    other = await make.signed_in()

    assert (await browser.get("/users/me", headers=other.headers)).json()["email"] == other.person.email
    # No page can make a browser send the header, so no CSRF token is asked for.
    changed = await browser.patch("/users/me", json={"name": "Ada"}, headers=other.headers)
    assert changed.status_code == 200
    assert_problem(await browser.get("/users/me", headers={"Authorization": "Bearer nonsense"}), 401)


# ── fixation, mixing, altering ───────────────────────────────────────────────────────────────────────


async def test_d07_what_a_browser_brings_along_never_becomes_a_session(
    gatepost: Gatepost, browser: AsyncClient, make: Make
) -> None:
    attacker_person, victim = await make.user(), await make.user()
    async with opened(gatepost) as attacker:
        await signed_in(attacker, attacker_person)
        planted = attacker.cookies[NAME]
        browser.cookies.set(NAME, planted, domain="auth.example.com")

        await signed_in(browser, victim)

        assert browser.cookies[NAME] != planted
        assert (await browser.get("/users/me")).json()["email"] == victim.email
        # The session that the browser had before has ended: nobody keeps one that the victim was seen with.
        assert_problem(await attacker.get("/users/me"), 401)


async def test_d08_the_next_person_in_one_browser_is_somebody_else(browser: AsyncClient, make: Make) -> None:
    first, second = await make.user(), await make.user()
    page = await signed_in(browser, first)
    kept = browser.cookies[NAME]
    await signed_in(browser, second)

    assert (await browser.get("/users/me")).json()["email"] == second.email
    assert_problem(await browser.patch("/users/me", json={"name": "Eve"}, headers=page), 403)
    browser.cookies.set(NAME, kept, domain="auth.example.com")
    assert_problem(await browser.get("/users/me"), 401)


async def test_v7_2_4_signing_in_again_gives_a_new_cookie_and_ends_the_old_one(
    gatepost: Gatepost, browser: AsyncClient, make: Make, clock: MovableClock
) -> None:
    page = await signed_in(browser, await make.user())
    before = browser.cookies[NAME]
    clock.move(timedelta(minutes=11))
    assert_problem(await browser.delete("/users/me", headers=page), 401)

    answer = await browser.post("/users/me/reauthenticate", json={"password": PASSWORD}, headers=page)

    assert answer.status_code == 200, answer.text
    assert answer.json()["tokens"] is None
    assert browser.cookies[NAME] != before
    async with opened(gatepost) as thief:
        thief.cookies.set(NAME, before, domain="auth.example.com")
        assert_problem(await thief.get("/users/me"), 401)
    assert_problem(await browser.delete("/users/me", headers=page), 403)
    page["X-CSRF-Token"] = answer.json()["session"]["csrf_token"]
    assert (await browser.delete("/users/me", headers=page)).status_code == 204


async def test_c13_v7_2_1_an_altered_cookie_is_refused(browser: AsyncClient, make: Make) -> None:
    await signed_in(browser, await make.user())
    true = browser.cookies[NAME]
    other = await make.signed_in()
    altered = [true[:-1], true + "A", true[1:], "", true.swapcase(), other.refresh_token, other.access_token]
    altered += [
        true[:place] + ("A" if true[place] != "A" else "B") + true[place + 1 :] for place in range(len(true))
    ]
    for value in altered:
        browser.cookies.set(NAME, value, domain="auth.example.com")
        assert (await browser.get("/users/me")).status_code == 401, value
        assert (await browser.get("/session")).json()["signed_in"] is False


async def test_c11_a_cookie_is_no_token_and_a_token_is_no_cookie(browser: AsyncClient, make: Make) -> None:
    await signed_in(browser, await make.user())
    value = browser.cookies[NAME]
    browser.cookies.clear()

    assert_problem(await browser.get("/users/me", headers={"Authorization": f"Bearer {value}"}), 401)
    assert_problem(await make.refresh(value), 400)


async def test_d15_no_token_is_in_any_url_or_readable_header(browser: AsyncClient, make: Make) -> None:
    page = await signed_in(browser, await make.user())
    value = browser.cookies[NAME]
    for answer in (
        await browser.get("/session"),
        await browser.get("/users/me"),
        await browser.get("/users/me/sessions"),
        await browser.patch("/users/me", json={"name": "Ada"}, headers=page),
    ):
        assert "location" not in answer.headers
        assert value not in answer.text + str(answer.headers)


async def test_an_unknown_person_and_a_wrong_password_are_answered_alike(
    browser: AsyncClient, make: Make
) -> None:
    person = await make.user()
    wrong = await sign_in(browser, Person(person.id, person.email, "not-the-lighthouse"))
    unknown = await sign_in(browser, Person(person.id, "nobody@example.com", "not-the-lighthouse"))

    assert wrong.status_code == unknown.status_code == 400
    assert {**wrong.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert not list(browser.cookies)


# ── names and attributes ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("public_url", "name", "secure"),
    [
        ("https://auth.example.com", "__Host-gp_session", True),
        ("http://localhost:8000", "__Host-gp_session", True),
        ("http://127.0.0.1:8000", "__Host-gp_session", True),
        ("http://auth.internal", "gp_session", False),
    ],
)
def test_the_name_says_how_the_cookie_is_guarded(public_url: str, name: str, secure: bool) -> None:
    cookies = Cookies(public_url, (), "lax", [b"k" * 32])
    assert (cookies.session_name, cookies.secure) == (name, secure)


async def test_a_cookie_for_pages_of_another_site_says_so(
    settings: Settings, clock: MovableClock, make: Make
) -> None:
    service = Gatepost(settings.model_copy(update={"cookie_same_site": "none"}), clock=clock)
    person = await make.user()
    async with service.lifespan(), opened(service) as client:
        found = cookie(await sign_in(client, person, APP))
    assert (found["samesite"], found["secure"]) == ("none", True)


# ── what one way does, the others do ─────────────────────────────────────────────────────────────────


async def by_flow(browser: AsyncClient, person: Person, **more: Any) -> Response:
    begun = await browser.post("/login", json={"carrier": "cookie", **more}, headers={"Origin": OURS})
    proof = {"flow": begun.json()["flow"], "method": "password", "username": person.email}
    return await browser.post(
        "/login/proof", json=proof | {"password": person.password}, headers={"Origin": OURS}
    )


@pytest.mark.parametrize("way", [sign_in, by_flow], ids=["at once", "in steps"])
async def test_d09_the_session_that_a_browser_had_ends_with_the_next(
    gatepost: Gatepost, browser: AsyncClient, make: Make, way: Any
) -> None:
    await signed_in(browser, await make.user())
    kept = browser.cookies[NAME]

    assert (await way(browser, await make.user())).status_code == 200

    async with opened(gatepost) as other:
        other.cookies.set(NAME, kept, domain="auth.example.com")
        assert (await other.get("/session")).json()["signed_in"] is False


@pytest.mark.parametrize("way", [sign_in, by_flow], ids=["at once", "in steps"])
async def test_a_cookie_of_a_session_that_is_over_is_no_obstacle(
    browser: AsyncClient, make: Make, way: Any
) -> None:
    person = await make.user()
    page = await signed_in(browser, person)
    kept = browser.cookies[NAME]
    await browser.delete("/session", headers=page)
    for value in (kept, "nonsense", kept[:-1]):
        browser.cookies.set(NAME, value, domain="auth.example.com")
        assert (await way(browser, person)).status_code == 200
        assert (await browser.get("/users/me")).json()["email"] == person.email


@pytest.mark.parametrize("way", [sign_in, by_flow], ids=["at once", "in steps"])
async def test_a_browser_that_shall_not_remember_does_not_when_asked_again(
    browser: AsyncClient, make: Make, way: Any
) -> None:
    answer = await way(browser, await make.user(), remember=False)
    body = answer.json()
    page = {"Origin": OURS, "X-CSRF-Token": (body.get("session") or body)["csrf_token"]}

    again = await browser.post("/users/me/reauthenticate", json={"password": PASSWORD}, headers=page)

    assert again.status_code == 200
    lines = [*answer.headers.get_list("set-cookie"), *again.headers.get_list("set-cookie")]
    kept = [line for line in lines if line.startswith(f"{NAME}=gp_")]
    assert len(kept) == 2
    assert not any("max-age" in line.lower() for line in kept)
