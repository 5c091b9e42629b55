"""Every journey on the pages, without scripts: by opening, filling in and pressing."""

import json
from datetime import timedelta

import pytest

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.make import PASSWORD, Make
from tests.pages.browsing import Browser
from tests.post import Post, by_hand

NEW = "another-good-one-77"
EMAIL = "ada@example.com"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, email_verification="encouraged", deletion_grace=timedelta(days=7))


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


async def test_join_confirm_and_come_to_where_one_wanted(browser: Browser, post: Post) -> None:
    seen = await browser.open("/account/notices?x=1")
    assert (seen.path, seen.answer.request.url.query) == (
        "/sign-in",
        b"return_to=%2Faccount%2Fnotices%3Fx%3D1",
    )
    await browser.open(next(link for link in seen.links if link.startswith("/sign-up")))
    assert (await browser.send(email="ada", password=PASSWORD)).problem == "invalid-email"
    assert browser.form(None, "email").fields["email"] == "ada"
    assert "password" not in str(browser.client.cookies)
    assert (await browser.send(email=EMAIL, password="password1")).problem == "password-refused"
    assert browser.seen.answer.status_code == 422
    seen = await browser.send(email=EMAIL, password=PASSWORD, name="Ada")
    assert (seen.path, seen.notice) == ("/sign-in", "joined")
    assert browser.form(None, "email").fields["email"] == EMAIL

    seen = await browser.send(password=PASSWORD)

    assert (seen.path, seen.answer.request.url.query) == ("/account/notices", b"x=1")
    await browser.open("/account")
    assert "Hello, Ada." in seen.answer.text or "Hello, Ada." in browser.seen.answer.text
    letter = await post.letter("verify_email")
    await browser.open("/account/email")
    assert (await browser.send(("do", "code"), code=letter.wrong_code)).problem == "mail-proof-invalid"
    seen = await browser.send(("do", "code"), code=f" {letter.code[:3]} {letter.code[3:]}")
    assert (seen.notice, "Not confirmed" in seen.answer.text) == ("verified", False)


async def test_where_a_verified_address_is_required_the_code_comes_first(
    settings: Settings, clock: MovableClock
) -> None:
    service = Gatepost(by_hand(settings, email_verification="required"), clock=clock)
    async with service.lifespan():
        browser, post = Browser(service), Post(service)
        await browser.open("/sign-up")
        seen = await browser.send(email=EMAIL, password=PASSWORD)
        assert (seen.path, seen.notice) == ("/verify", "joined")
        letter = await post.letter("verify_email")
        seen = await browser.sign_in(EMAIL, PASSWORD)
        assert (seen.path, seen.notice) == ("/verify", "verify-first")

        assert (await browser.send(code="12")).problem == "mail-proof-invalid"
        seen = await browser.send(code=letter.code)

        assert (seen.path, seen.notice) == ("/sign-in", "verified")
        assert (await browser.send(password=PASSWORD)).path == "/account"


async def test_a_forgotten_password(browser: Browser, post: Post, make: Make) -> None:
    person = await make.user()
    await browser.open("/forgot?return_to=/account/data")
    known = await browser.send(email=person.email)
    words = known.answer.text.replace(person.email, "")
    letter = await post.letter("reset_password")
    await browser.open("/forgot?return_to=/account/data")
    unknown = await browser.send(email="nobody@example.com")
    assert unknown.answer.text.replace("nobody@example.com", "") == words
    assert await post.letters() == []

    seen = await browser.send(email=person.email, code=letter.code, password="password1")
    assert (seen.problem, browser.form().fields["email"]) == ("password-refused", person.email)
    assert "code" not in browser.form().fields or browser.form().fields["code"] == ""
    seen = await browser.send(code=letter.code, password=NEW)

    assert (seen.path, seen.notice) == ("/sign-in", "password-set")
    assert (await browser.send(password=NEW)).path == "/account/data"


async def test_what_is_sensitive_asks_for_the_password_again_and_goes_on(
    browser: Browser, make: Make, clock: MovableClock
) -> None:
    person = await make.user()
    await browser.sign_in(person.email, PASSWORD)
    session = browser.client.cookies.get("__Host-gp_session")
    clock.move(timedelta(hours=1))

    seen = await browser.open("/account/password")
    assert (seen.path, seen.answer.request.url.query) == (
        "/account/confirm",
        b"return_to=%2Faccount%2Fpassword",
    )
    assert (await browser.send(password="not this one")).problem == "invalid-credentials"
    assert (await browser.send(password=PASSWORD)).path == "/account/password"
    assert browser.client.cookies.get("__Host-gp_session") != session

    assert (await browser.send(current_password=NEW, new_password=NEW)).problem == "current-password-wrong"
    seen = await browser.send(current_password=PASSWORD, new_password="short")
    assert 'aria-describedby="new_password-wrong new_password-hint" aria-invalid="true"' in seen.answer.text
    assert (await browser.send(current_password=PASSWORD, new_password=NEW)).notice == "password-changed"
    assert (await make.sign_in(person.email, NEW)).status_code == 200
    # A form that was open for too long leads there too, and back.
    await browser.open("/account/data")
    clock.move(timedelta(hours=1))
    assert (await browser.send()).path == "/account/confirm"
    assert (await browser.send(password=NEW)).path == "/account/data"
    await browser.send()
    assert browser.answer.headers["content-disposition"] == 'attachment; filename="account.json"'
    assert json.loads(browser.answer.text)["account"]["email"] == person.email


async def test_in_by_a_code_from_a_mail_also_to_show_that_it_is_still_oneself(
    browser: Browser, make: Make, post: Post, clock: MovableClock
) -> None:
    person = await make.user()
    seen = await browser.open("/sign-in?return_to=/account/data")
    await browser.open(next(link for link in seen.links if link.startswith("/sign-in/mail")))
    assert (await browser.send(email="nonsense")).problem == "invalid-email"
    seen = await browser.send(email=person.email)
    assert (seen.path, seen.notice) == ("/sign-in/code", "sign-in-sent")
    letter = await post.letter("sign_in_code")
    assert (await browser.send(code=letter.wrong_code)).problem == "invalid-credentials"
    assert browser.seen.answer.status_code == 400

    assert (await browser.send(code=letter.code)).path == "/account/data"

    # The address was not verified before: the password that somebody had set is gone, and is not needed.
    assert (await make.sign_in(person.email, PASSWORD)).status_code == 400
    clock.move(timedelta(hours=1))
    seen = await browser.open("/account/delete")
    assert seen.path == "/account/confirm"
    await browser.open(next(link for link in seen.links if link.startswith("/sign-in/mail")))
    assert browser.form().fields["email"] == person.email
    await browser.send()
    letter = await post.letter("sign_in_code")
    assert (await browser.send(code=letter.code)).path == "/account/delete"
    # A flow of another browser is none of this one's.
    await browser.open("/sign-in/code?flow=x")
    assert (await browser.send(email=person.email, code=letter.code)).problem == "login-flow-invalid"


async def test_another_address(browser: Browser, make: Make, post: Post) -> None:
    person = await make.user()
    await browser.sign_in(person.email, PASSWORD)
    await browser.open("/account/email")
    assert (await browser.send(("do", "change"), new_email="nonsense")).problem == "invalid-email"
    assert (await browser.send(("do", "change"), new_email="ada@new.example")).notice == "email-asked"
    first = await post.letter("change_email_confirm")
    assert (await browser.send(("do", "forget"))).notice == "email-kept"
    await browser.send(("do", "change"), new_email="ada@new.example")
    second = await post.letter("change_email_confirm")
    assert (await browser.send(("do", "code"), code=first.code)).problem == "mail-proof-invalid"

    seen = await browser.send(("do", "code"), code=second.code)

    assert (seen.notice, "ada@new.example" in seen.answer.text) == ("verified", True)
    assert (await browser.send(("do", "change"), new_email="ada@new.example")).path == "/account/email"


async def test_profile_devices_notices_and_the_way_out(
    browser: Browser, make: Make, gatepost: Gatepost, post: Post
) -> None:
    person = await make.user()
    elsewhere, third = Browser(gatepost), Browser(gatepost)
    for each in (browser, elsewhere, third):
        await each.sign_in(person.email, PASSWORD)
    await browser.open("/account/profile")
    seen = await browser.send(name="Zoë <b>", language="de")
    assert (seen.notice, seen.title, "Zoë &lt;b&gt;" in seen.answer.text) == ("saved", "Profil", True)

    await browser.open("/account/sessions")
    (_, other), *_ = [
        button for form in browser.seen.forms for button in form.buttons if button[0] == "session"
    ][1:]
    page = browser.seen
    assert (await browser.send(("session", other))).notice == "session-ended"
    browser.seen = page
    assert (await browser.send(("session", other))).path == "/account/sessions"  # pressed twice
    assert (await browser.send(("session", "others"))).notice == "others-ended"
    for each in (elsewhere, third):
        seen = await each.open("/account")
        assert (seen.path, seen.notice) == ("/sign-in", "session-over")

    await browser.open("/account/notices")
    del browser.form().fields["new_device"]
    assert (await browser.send(sessions_ended_by_reuse="on")).notice == "saved"
    assert "new_device" not in browser.form().fields

    await browser.open("/account/delete")
    seen = await browser.send()
    assert (seen.path, seen.notice) == ("/sign-in", "deletion-scheduled")
    assert (await browser.open("/account")).path == "/sign-in"
    letter = (await post.letters())[-1]
    await browser.open(letter.link)
    assert (await browser.send()).path == "/keep-account/done"
    assert (await browser.sign_in(person.email, PASSWORD)).path == "/account"


async def test_after_signing_out_going_back_shows_nothing(
    browser: Browser, make: Make, gatepost: Gatepost
) -> None:
    person = await make.user()
    await browser.sign_in(person.email, PASSWORD)
    cookie = browser.client.cookies["__Host-gp_session"]
    page = await browser.open("/account")
    assert page.answer.headers["cache-control"] == "no-store"
    await browser.open("/sign-out")
    seen = await browser.send()
    assert (seen.path, seen.notice) == ("/sign-in", "signed-out")
    assert (await browser.open("/sign-in")).notice == ""  # said once
    # Not the cookie alone is gone: it is worth nothing.
    browser.client.cookies.set("__Host-gp_session", cookie)
    assert (await browser.open("/account")).notice == "session-over"
    assert (await browser.open("/")).path == "/sign-in"
