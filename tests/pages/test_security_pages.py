"""What holds for the pages of second steps, beyond what a browser shows: who sees what, and what is refused."""

import re
from datetime import timedelta
from html import unescape

import pytest

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.pages.kept import Kept
from tests.conftest import open_client
from tests.login import factors
from tests.make import PASSWORD, Make, Person
from tests.mfa.people import App
from tests.pages.browsing import ORIGIN, Browser
from tests.post import Post, by_hand

SECURITY = "/account/security"
MOST_BYTES = 60_000

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def given(gatepost: Gatepost, person: Person) -> App:
    app = await factors.give_app(gatepost, person.id)
    assert app is not None
    return app


async def test_the_key_of_a_new_app_is_shown_to_its_owner_here_for_ten_minutes(
    browser: Browser, gatepost: Gatepost, make: Make, person: Person, clock: MovableClock
) -> None:
    await browser.sign_in(person.email, PASSWORD)
    await browser.open(f"{SECURITY}/app")
    seen = await browser.send(("do", "begin"), name="Phone")
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', seen.answer.text)
    assert len(seen.answer.content) < MOST_BYTES
    assert "no-store" in seen.answer.headers["cache-control"]
    kept = browser.client.cookies["__Host-gp_kept"]
    assert App(person.id, unescape(uri)).secret not in kept
    # Another session of the same person does not see it, and neither does another person who has the cookie.
    other = Browser(gatepost)
    await other.sign_in(person.email, PASSWORD)
    assert "otpauth:" not in (await other.open(f"{SECURITY}/app")).answer.text
    stranger = await make.user()
    await other.open("/sign-out")
    await other.send()
    await other.sign_in(stranger.email, PASSWORD)
    other.client.cookies.set("__Host-gp_kept", kept)
    assert "otpauth:" not in (await other.open(f"{SECURITY}/app")).answer.text
    # Nor is it shown on another page, or for longer, whatever the browser keeps.
    assert "otpauth:" not in (await browser.open(SECURITY)).answer.text
    assert "otpauth:" in (await browser.open(f"{SECURITY}/app")).answer.text
    clock.move(timedelta(minutes=10, seconds=1))
    browser.client.cookies.set("__Host-gp_kept", kept)
    await browser.open(f"{SECURITY}/app")
    if browser.seen.path == "/account/confirm":
        await browser.send(password=PASSWORD)
    assert "otpauth:" not in browser.seen.answer.text


def test_what_was_kept_is_opened_for_nobody_else_and_nothing_that_is_not_ours(
    gatepost: Gatepost, database_url: str
) -> None:
    kept, now = gatepost.pages.kept, gatepost.clock.now()
    sealed = kept.seal({"codes": ["a"]}, "/page", "ada", now.replace(year=now.year + 1))
    assert kept.open(sealed, "/page", "ada", now) == {"codes": ["a"]}
    assert kept.open(sealed, "/page", "grace", now) is None
    assert kept.open(sealed, "/other", "ada", now) is None
    for other in (None, "", "é", "AAAA", sealed[:-4], Kept.seal(kept, {}, "/page", "ada", now)):
        assert kept.open(other, "/page", "ada", now) is None


async def test_a_password_alone_opens_no_page_of_an_account_with_a_factor(
    browser: Browser, gatepost: Gatepost, person: Person
) -> None:
    await browser.sign_in(person.email, PASSWORD)
    await browser.open(SECURITY)
    csrf = browser.form().fields["csrf"]
    app = await given(gatepost, person)
    stolen = Browser(gatepost)
    await stolen.open("/sign-in")
    step = await stolen.send(email=person.email, password=PASSWORD)
    assert step.path == "/sign-in/step"
    # No page of the account opens before the second step.
    for path in (SECURITY, f"{SECURITY}/app", f"{SECURITY}/codes", f"{SECURITY}/apps/{app.id}"):
        assert (await stolen.open(path)).path == "/sign-in"
        posted = await stolen.client.post(
            path, data={"csrf": csrf}, headers={"Origin": "http://127.0.0.1:8000"}
        )
        assert posted.headers["location"].startswith("/sign-in?")


async def test_too_many_wrong_codes_wait_and_say_what_else_there_is(
    browser: Browser, gatepost: Gatepost, person: Person
) -> None:
    app = await given(gatepost, person)
    await browser.sign_in(person.email, PASSWORD)
    for _ in range(5):
        await browser.sign_in(person.email, PASSWORD)
        wrong = await browser.send(("do", "totp"), code=app.wrong_code(gatepost.clock.now()))
        assert (wrong.problem, wrong.answer.status_code) == ("invalid-credentials", 400)
    await browser.sign_in(person.email, PASSWORD)
    late = await browser.send(("do", "totp"), code=factors.next_code(gatepost, app))
    assert (late.problem, late.answer.status_code) == ("totp-delayed", 429)
    assert "recovery code" in late.answer.text
    (there,) = [link for link in late.links if "with=recovery" in link]
    await browser.open(unescape(there))
    assert (await browser.send(("do", "recovery_code"), code=app.recovery_codes[0])).path == "/account"


async def test_where_factors_are_off_no_page_offers_one_and_the_last_one_stays_where_it_must(
    settings: Settings, clock: MovableClock
) -> None:
    off = settings.model_copy(update={"mfa": settings.mfa.model_copy(update={"policy": "off"})})
    service = Gatepost(off, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        person, browser = await Make(service, client).user(), Browser(service)
        await browser.sign_in(person.email, PASSWORD)
        assert f"{SECURITY}/app" not in (await browser.open(SECURITY)).links
        await browser.open(f"{SECURITY}/app")
        assert (await browser.send(("do", "begin"))).problem == "factors-off"


async def test_where_one_must_be_added_codes_come_first_and_the_last_factor_stays(
    settings: Settings, clock: MovableClock
) -> None:
    required = settings.model_copy(update={"mfa": settings.mfa.model_copy(update={"policy": "required"})})
    service = Gatepost(required, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        person, browser = await Make(service, client).user(), Browser(service)
        await browser.open("/sign-in?return_to=/account/data")
        assert (await browser.send(email=person.email, password=PASSWORD)).path == "/sign-in/enrol"
        assert (await browser.open("/account")).path == "/sign-in"
        await browser.open("/sign-in?return_to=/account/data")
        await browser.send(email=person.email, password=PASSWORD)
        seen = await browser.send(("do", "begin"))
        (uri,) = re.findall(r'href="(otpauth:[^"]+)"', seen.answer.text)
        app = App(person.id, unescape(uri))
        assert (await browser.send(("do", "confirm"), code="12")).problem == "code-wrong"
        codes = await browser.send(("do", "confirm"), code=app.code(clock.now()))
        assert (codes.path, codes.answer.text.count("<li><code>")) == (f"{SECURITY}/codes", 10)
        assert (await browser.send(("do", "done"))).path == "/account/data"
        await browser.open(SECURITY)
        (only,) = [link for link in browser.seen.links if f"{SECURITY}/apps/" in link]
        await browser.open(only)
        assert (await browser.send()).problem == "factor-needed"


async def test_a_step_of_nobody_leads_to_the_sign_in(browser: Browser, person: Person) -> None:
    for path in ("/sign-in/step", "/sign-in/step?flow=gp_lf_x", "/sign-in/enrol?flow=é"):
        assert ((await browser.open(path)).path, browser.seen.notice) == ("/sign-in", "flow-over")
    await browser.open("/sign-in")
    await browser.send(email=person.email, password=PASSWORD)
    for credential in ("x", "{}", "null", "[" * 5000):
        await browser.open(f"{SECURITY}/passkey")
        seen = await browser.send(name="Key", credential=credential)
        assert (seen.problem, seen.answer.status_code) == ("passkey-invalid", 400)
    for path in (f"{SECURITY}/apps/x", f"{SECURITY}/passkeys/x"):
        assert (await browser.open(path)).answer.status_code == 404


@pytest.mark.parametrize("where", ["where it was asked for", "elsewhere"])
async def test_a_link_by_mail_leads_who_has_a_factor_to_the_second_step_and_counts_once(
    gatepost: Gatepost, person: Person, browser: Browser, where: str
) -> None:
    await factors.verify(gatepost, person.id)
    app, post = await given(gatepost, person), Post(gatepost)
    asking = {"Origin": ORIGIN}
    flow = (await browser.client.post("/login", json={"carrier": "cookie"}, headers=asking)).json()["flow"]
    wanted = {"flow": flow, "email": person.email}
    assert (await browser.client.post("/login/mail", json=wanted, headers=asking)).status_code == 202
    letters = {letter.kind: letter for letter in await post.letters()}
    link = letters["sign_in_code"].link
    here = browser if where == "where it was asked for" else Browser(gatepost)
    await here.open(link)

    assert (await here.send()).path == "/sign-in/step"

    assert (await here.client.get("/session")).json()["user"] is None
    wrong = await here.send(("do", "totp"), code=app.wrong_code(gatepost.clock.now()))
    assert wrong.problem == "invalid-credentials"
    assert (await here.send(("do", "totp"), code=factors.next_code(gatepost, app))).path == "/account"
    listed = await here.client.get("/users/me/sessions", headers=asking)
    assert [item["amr"] for item in listed.json()["items"]] == [["otp", "mfa"]]
    assert (await Browser(gatepost).open(link)).answer.status_code == 400
