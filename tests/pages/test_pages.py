"""What holds for every page: its policy, its weight, its language, its refusals, and where it may lead."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import URL, ASGITransport, AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LocalLimiter
from gatepost.notices import BrandOptions, Languages
from gatepost.pages import Pages
from gatepost.pages.returning import safe_return
from gatepost.pages.said import Said
from scripts.messages import LOCALES, extracted
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make, Person
from tests.pages.browsing import HOST, ORIGIN, Browser
from tests.post import by_hand
from tests.security.expect import assert_problem

OUTSIDE = ("/sign-in", "/sign-up", "/verify", "/forgot", "/reset")
INSIDE = (
    "/account",
    "/account/profile",
    "/account/email",
    "/account/password",
    "/account/security",
    "/account/security/app",
    "/account/security/codes",
    "/account/security/passkey",
    "/account/sessions",
    "/account/notices",
    "/account/data",
    "/account/delete",
    "/account/confirm",
    "/sign-out",
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
APP = "https://app.example.com"
MOST_BYTES = 60_000

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def test_every_page_is_light_and_loads_only_what_is_ours_and_kept_for_ever(
    browser: Browser, person: Person
) -> None:
    for path in (*OUTSIDE, "", *INSIDE):
        if not path:
            await browser.sign_in(person.email, PASSWORD)
            continue
        seen = await browser.open(path)
        headers = seen.answer.headers
        assert (seen.answer.status_code, seen.path) == (200, path)
        assert headers["content-security-policy"] == POLICY
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "same-origin")
        assert headers["vary"] == "Accept-Language, Cookie"
        weight = len(seen.answer.content)
        for asset in seen.loads:
            found = await browser.client.get(asset)
            assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
            weight += len(found.content)
        assert weight <= MOST_BYTES, path
        assert "<style" not in seen.answer.text
        assert not re.search(r"<script(?! type=\"module\" src=)", seen.answer.text)
        # Headings, landmarks and labels: one of the first, a label for each field.
        assert seen.answer.text.count("<h1>") == seen.answer.text.count("<main") == 1
        for name in re.findall(r'<(?:input|select) id="(\w+)"', seen.answer.text):
            assert f'<label for="{name}">' in seen.answer.text


async def test_an_asset_of_another_version_is_answered_and_not_kept(browser: Browser) -> None:
    other = await browser.client.get("/assets/pages.0123456789ab.css")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")
    for name in ("pages.css", "nothing.0123456789ab.js", "..%2f..%2fsettings.py"):
        assert (await browser.client.get(f"/assets/{name}")).status_code == 404


EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/%5cevil.example",
    "/%255cevil.example",
    "/%2f%2fevil.example",
    "/%2fevil.example",
    "/%252fevil.example",
    "/account//evil.example",
    "\x00/account",
    " /account",
    "/account\r\nSet-Cookie: a=b",
    "/%0d%0aLocation:%20https://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt://app.example.com/%0aalert(1)",
    "data:text/html,x",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "http://app.example.com/",
    "https://app.example.com@evil.example",
    "https://app.example.com:443@evil.example",
    "https://app.example.com:8443/",
    "https://app.example.com.evil.example/",
    "https://app.example.com%2eevil.example",
    "https://app.example.com\\@evil.example",
    "https://evil.example/https://app.example.com",
    "https://app.example.com//evil.example",
    "https://[::1",
    "account",
    "?x",
    "",
    "/" + "a" * 3000,
]


@pytest.mark.parametrize("wanted", EVIL)
def test_j03_nobody_is_led_to_where_no_setting_says(wanted: str, database_url: str) -> None:
    assert safe_return(wanted, {APP}) is None


def test_j03_good_places_are_kept_as_they_are(database_url: str) -> None:
    for wanted in ("/", "/account?x=1#y", "/a/b%20c?next=//x", APP, f"{APP}/", f"{APP}/a?b=c", f"{APP}?a"):
        assert safe_return(wanted, {APP}) == wanted


async def test_j03_the_sign_in_leads_on_to_an_origin_of_the_settings_and_else_home(
    settings: Settings, clock: MovableClock
) -> None:
    service = Gatepost(settings.model_copy(update={"return_origins": [APP]}), clock=clock)
    async with service.lifespan(), open_client(service) as client:
        person = await Make(service, client).user()
        for wanted, location in (
            (f"{APP}/done", f"{APP}/done"),
            ("//evil.example", "/account"),
            ("https://evil.example", "/account"),
        ):
            browser = Browser(service)
            form = {"email": person.email, "password": PASSWORD}
            answer = await browser.client.post(
                "/sign-in", data=form, params={"return_to": wanted}, headers={"Origin": ORIGIN}
            )
            assert (answer.status_code, answer.headers["location"]) == (303, location)
            # Who is signed in already is led on at once.
            again = await browser.client.get("/sign-in", params={"return_to": wanted})
            assert again.headers["location"] == location
        # Browsers hold the policy of forms against what a form redirects to.
        policy = (await browser.open("/sign-up")).answer.headers["content-security-policy"]
        assert f"form-action 'self' {APP};" in policy


async def test_b15_nobody_is_signed_in_by_somebody_elses_page(browser: Browser, person: Person) -> None:
    form = {"email": person.email, "password": PASSWORD}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        refused = await browser.client.post("/sign-in", data=form, headers=headers)
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
        assert 'data-problem="csrf-refused"' in refused.text
    for body in ({"json": form}, {"content": "email=a", "headers": {"Content-Type": "text/plain"}}):
        wrong: Any = body
        answer = await browser.client.post("/sign-in", **wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (415, "text/html; charset=utf-8")


async def test_a_form_counts_only_with_the_token_of_its_session(browser: Browser, person: Person) -> None:
    await browser.sign_in(person.email, PASSWORD)
    await browser.open("/account/profile")
    stale = browser.form(None, "name").fields["csrf"]
    for path in INSIDE[1:]:
        for token in ("", "é", stale[:-1], "0" * 64):
            sent = {"csrf": token, "password": PASSWORD, "do": "forget", "session": "others"}
            refused = await browser.client.post(path, data=sent, headers={"Origin": ORIGIN})
            assert refused.status_code == 403, path
            assert 'data-problem="form-expired"' in refused.text
        elsewhere = await browser.client.post(
            path, data={"csrf": stale}, headers={"Origin": "https://evil.example"}
        )
        assert (elsewhere.status_code, "csrf-refused" in elsewhere.text) == (403, True)
    # Signed in again in another tab: the form of before is of another session.
    await browser.client.post(
        "/sign-in", data={"email": person.email, "password": PASSWORD}, headers={"Origin": ORIGIN}
    )
    late = await browser.send(name="Ada", csrf=stale)
    assert (late.problem, late.answer.status_code) == ("form-expired", 403)
    assert "/account/profile" in late.links


async def test_refusals_are_pages_in_the_language_of_whom_they_are_for(
    settings: Settings, clock: MovableClock
) -> None:
    changed = settings.model_copy(
        update={
            "rate_limits": "on",
            "accounts": settings.accounts.model_copy(update={"allow_registration": False}),
        }
    )
    service = Gatepost(changed, clock=clock, limiter=LocalLimiter(lambda: 0.0))
    async with service.lifespan():
        browser = Browser(service, **{"Accept-Language": "fr-CA"})
        for path, status, title in (
            ("/nowhere", 404, "Page introuvable"),
            ("//evil.example/x", 404, "Page introuvable"),
            ("/account/sessions/x", 404, "Page introuvable"),
            ("/sign-up", 403, "Les inscriptions sont fermées"),
        ):
            seen = await browser.open(URL(f"{HOST}{path}"))
            assert (seen.answer.status_code, seen.title) == (status, title)
            assert seen.answer.headers["x-request-id"] in seen.answer.text
            assert not [link for link in seen.links if "evil" in link]
        tries = [await browser.sign_in("ada@example.com", "wrong") for _ in range(11)]
        assert [seen.answer.status_code for seen in tries] == [400] * 10 + [429]
        assert (tries[-1].title, tries[-1].answer.headers["retry-after"]) == ("Trop de tentatives", "6")
        assert "Attendez 6 secondes" in tries[-1].answer.text
        wrong = await browser.client.request("DELETE", "/account")
        assert (wrong.status_code, wrong.headers["content-type"]) == (405, "text/html; charset=utf-8")
        # What no browser opens gets what programs read.
        assert_problem(await browser.client.get("/nowhere"), 404)


async def test_the_language_is_the_browsers_then_the_persons_then_the_chosen_one(
    gatepost: Gatepost, person: Person
) -> None:
    browser = Browser(gatepost, **{"Accept-Language": "es-MX,en;q=0.5"})
    assert (await browser.open("/sign-in")).title == "Iniciar sesión"
    await browser.sign_in(person.email, PASSWORD)
    await browser.open("/account/profile")
    assert (await browser.send(language="de")).title == "Profil"
    assert (await browser.open("/account/data")).title == "Ihre Daten"

    refused = await browser.client.post("/account/data", data={"csrf": "x"}, headers={"Origin": ORIGIN})
    assert (refused.status_code, "Dieses Formular ist abgelaufen" in refused.text) == (403, True)

    switch = next(link for link in browser.seen.links if link.endswith("language=zh"))
    seen = await browser.open(switch)

    assert (seen.path, seen.answer.request.url.query, seen.title) == ("/account/data", b"", "您的数据")
    await browser.open("/sign-out")
    assert 'lang="zh"' in (await browser.send()).answer.text
    seen = await browser.open("/sign-in?language=xx&return_to=/account/data")
    assert (seen.answer.headers["content-language"], seen.answer.request.url.query) == (
        "zh",
        b"return_to=%2Faccount%2Fdata",
    )


async def test_every_sentence_of_the_pages_is_there_in_every_language(database_url: str) -> None:
    known = Languages()
    assert {folder.name for folder in LOCALES.iterdir()} == {"de", "es", "fr", "zh"}
    for language in ("de", "es", "fr", "zh"):
        words = known.translations(language)
        for message in extracted():
            if message.id:
                one, *more = [message.id] if isinstance(message.id, str) else message.id
                found = words.ngettext(one, more[0], 1) if more else words.gettext(one)
                assert found, (language, message.id)


async def test_j01_what_a_stranger_says_is_text(browser: Browser, person: Person) -> None:
    evil = '"><script>alert(1)</script>{{7*7}}'
    await browser.open("/sign-in")
    await browser.send(email=evil, password="x")
    assert "<script>" not in browser.seen.answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in browser.seen.answer.text
    said = Said("/sign-in", 400, notice=evil, typed={"email": evil}).pack()
    for cookie in (said, "x", "e30", '{"path": 1}', "é" * 50, "a" * 5000):
        headers = {b"Cookie": b"__Host-gp_said=" + cookie.encode()}
        answer = await browser.client.get("/sign-in", headers=headers)
        assert answer.status_code in {200, 400, 431}
        assert "<script>" not in answer.text
    for query in (f"?return_to={evil}", f"?language={evil}", f"?{evil}"):
        assert "<script>" not in (await browser.open(f"/sign-in{query}")).answer.text


async def test_j01_odd_addresses_break_no_page(browser: Browser, person: Person) -> None:
    await browser.sign_in(person.email, PASSWORD)
    for path in (
        "/sign-in?" + "&" * 60,
        "/account?" + "&" * 60,
        "/account/security/apps/%E2%82%AC?language=de",
        "/account/security/apps/x%0d%0aSet-Cookie:%20a=b?language=de",
    ):
        answer = await browser.client.get(path)
        assert answer.status_code < 500, (path, answer.text)
        assert "a=b" not in answer.headers.get("set-cookie", "")


async def test_your_brand_your_style_and_your_words(
    settings: Settings, clock: MovableClock, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "verify.html").write_text(
        '{% extends "card.html" %}{% block title %}Ours{% endblock %}'
        "{% block main %}<p>{{ brand.name }}</p>{% endblock %}"
    )
    (tmp_path / "own" / "forgot.html").write_text("{{ nothing.there }}")
    (tmp_path / "own.css").write_text("body { font-family: serif; }")
    own = make_settings(
        settings.database_location,
        settings.data_dir,
        brand={
            "name": "Acme",
            "logo_url": "https://cdn.acme.example/l.svg",
            "privacy_url": "https://acme.example/p",
        },
        pages={"templates": tmp_path / "own", "stylesheet": tmp_path / "own.css"},
    )
    service = Gatepost(own, clock=clock)
    async with service.lifespan():
        browser = Browser(service)
        seen = await browser.open("/sign-up")
        assert "https://cdn.acme.example/l.svg" in seen.loads
        assert "img-src 'self' https://cdn.acme.example;" in seen.answer.headers["content-security-policy"]
        assert "https://acme.example/p" in seen.links
        (style,) = [each for each in seen.loads if "brand." in each]
        assert (await browser.client.get(style)).text == "body { font-family: serif; }"
        assert (await browser.open("/verify")).title == "Ours"
        # What goes wrong on our side is a page of the card's, with the number under which the log has the rest.
        crashed = await browser.open("/forgot")
        assert (crashed.answer.status_code, crashed.problem) == (500, "internal-error")
        assert crashed.answer.headers["x-request-id"] in crashed.answer.text
        # A template that is none stops the start, not the visitor.
        (tmp_path / "own" / "reset.html").write_text("{% if %}")
        with pytest.raises(Exception, match="GATEPOST_PAGES__TEMPLATES"):
            Gatepost(own, clock=clock)


def test_the_brands_colour_can_be_read_in_light_and_dark(database_url: str) -> None:
    from gatepost.notices.settings import _contrast

    for color in ("#1a56db", "#ffcc00", "#000000", "#ffffff", "#7f7f7f", "#00ff00", "#300000"):
        brand = BrandOptions(color=color)
        assert _contrast(brand.color, brand.text_color) >= 4.5
        style = Pages(brand, Settings(_env_file=None).notices).assets.find(
            Pages(brand, Settings(_env_file=None).notices).assets.name("pages.css")
        )
        assert style is not None
        light, dark = re.findall(r"--accent: (#[0-9a-f]{6});", style.content.decode())
        grounds = re.findall(r"--(?:card|ground): (#[0-9a-f]{6});", style.content.decode())
        assert all(_contrast(light, ground) >= 4.5 for ground in grounds[:2]), color
        assert all(_contrast(dark, ground) >= 4.5 for ground in grounds[2:]), color


async def test_password_managers_find_the_page(browser: Browser) -> None:
    assert (await browser.open("/.well-known/change-password")).path == "/sign-in"
    assert b"account%2Fpassword" in browser.seen.answer.request.url.query


async def test_hosted_pages_can_be_switched_off_and_links_stay(
    settings: Settings, clock: MovableClock
) -> None:
    off = settings.model_copy(update={"pages": settings.pages.model_copy(update={"hosted": False})})
    service = Gatepost(off, clock=clock)
    async with service.lifespan():
        browser = Browser(service)
        for path in (*OUTSIDE, *INSIDE, "/"):
            assert_problem(await browser.client.get(path), 404)
        assert (await browser.open("/verify-email")).problem == ""
        assert browser.seen.answer.status_code == 400
        assert (await browser.client.get(browser.seen.loads[0])).status_code == 200


@pytest.fixture
async def mounted(settings: Settings, clock: MovableClock) -> AsyncIterator[AsyncClient]:
    service = Gatepost(settings, clock=clock)
    host = FastAPI()
    service.attach(host, "/auth")
    async with service.lifespan():
        client = AsyncClient(transport=ASGITransport(app=host), base_url=HOST)
        await Make(service, open_client(service)).user("ada@example.com")
        yield client


async def test_below_a_hosts_path_everything_leads_where_it_is(mounted: AsyncClient) -> None:
    first = await mounted.get("/auth/account")
    assert first.headers["location"] == "/auth/sign-in?return_to=%2Fauth%2Faccount"
    page = await mounted.get(first.headers["location"])
    assert (await mounted.get(re.findall(r'href="([^"]+\.css)"', page.text)[0])).status_code == 200
    form = {"email": "ada@example.com", "password": "not this one"}
    wrong = await mounted.post(first.headers["location"], data=form, headers={"Origin": ORIGIN})
    assert wrong.headers["location"] == first.headers["location"]
    assert (await mounted.get(wrong.headers["location"])).status_code == 400
    form["password"] = PASSWORD
    right = await mounted.post(first.headers["location"], data=form, headers={"Origin": ORIGIN})
    assert right.headers["location"] == "/auth/account"
    home = await mounted.get("/auth/account")
    assert (home.status_code, 'href="/auth/account/email"' in home.text) == (200, True)
