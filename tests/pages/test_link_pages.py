"""The pages that links lead to: opening them does nothing, the button does, and they stand by themselves."""

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LocalLimiter
from gatepost.core.logging import make_logger
from gatepost.mfa import FactorResets
from gatepost.proofs import Purpose
from tests.conftest import open_client
from tests.make import PASSWORD, Make, Person, SignedIn
from tests.mfa.people import enrolled
from tests.pages.browsing import Seen
from tests.post import Letter, Post, by_hand

NEW = "another-good-one-77"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, email_verification="required", deletion_grace=timedelta(days=7))


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


async def member(client: AsyncClient, post: Post, name: str) -> dict[str, str]:
    """Sign somebody up and in, with an address that is verified."""
    email = f"{name}@example.com"
    await client.post("/users/", json={"email": email, "password": PASSWORD})
    asked = await post.letter("verify_email")
    await client.post("/email/verify", json={"email": email, "code": asked.code})
    answer = await client.post("/users/token", data={"username": email, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def asked_to_lose_factors(client: AsyncClient, post: Post, name: str) -> None:
    """Have somebody with an authenticator app ask for its removal, as they would at the door."""
    headers, gatepost = await member(client, post, name), post._gatepost
    user_id = (await client.get("/users/me", headers=headers)).json()["id"]
    me = SignedIn(Person(UUID(user_id), f"{name}@example.com"), headers["Authorization"].split()[1], "")
    await enrolled(client, me, gatepost.clock.now())
    async with gatepost.work() as work:
        await gatepost.build(FactorResets, work).ask(me.person.id)


async def letters(client: AsyncClient, post: Post) -> dict[Purpose, Letter]:
    """Return a letter of each purpose.

    Ada is to verify and to reset, Bob to confirm, Carol could undo, Dan stay, Eve sign in, and Flo keep her factors.
    """
    bob, carol, dan, _ = [await member(client, post, name) for name in ("bob", "carol", "dan", "eve")]
    await asked_to_lose_factors(client, post, "flo")
    scheduled = {letter.kind: letter for letter in await post.letters()}
    await client.post("/users/me/email", json={"email": "carol@new.example"}, headers=carol)
    confirm = await post.letter("change_email_confirm")
    await client.post("/email/verify", json={"token": confirm.token}, headers=carol)
    await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
    await client.post("/password/forgot", json={"email": "ada@example.com"})
    await client.post("/users/me/email", json={"email": "bob@new.example"}, headers=bob)
    await client.delete("/users/me", headers=dan)
    flow = (await client.post("/login", json={})).json()
    wanted = {"flow": flow["flow"], "binding": flow["binding"], "email": "eve@example.com"}
    assert (await client.post("/login/mail", json=wanted)).status_code == 202
    kinds = scheduled | {letter.kind: letter for letter in await post.letters()}
    return {
        Purpose.VERIFY_EMAIL: kinds["verify_email"],
        Purpose.CONFIRM_EMAIL: kinds["change_email_confirm"],
        Purpose.UNDO_EMAIL: kinds["email_changed"],
        Purpose.KEEP_FACTORS: kinds["factors_reset_scheduled"],
        Purpose.KEEP_ACCOUNT: kinds["account_deletion_scheduled"],
        Purpose.RESET_PASSWORD: kinds["reset_password"],
        Purpose.SIGN_IN_LINK: kinds["sign_in_code"],
    }


async def press(client: AsyncClient, letter: Letter, **typed: str) -> Response:
    """Open the link and press the button, as a browser without scripts does."""
    page = await client.get(letter.link)
    (form,) = Seen(page).forms
    # The second would confirm an address and drop the password that somebody has set.
    buttons = 2 if letter.kind == "verify_email" else 1
    # It is sent to the address of the page, which has the token, too.
    assert (page.status_code, form.method, form.action, len(form.buttons)) == (200, "post", "", buttons)
    # The page has no referrer, so its form has no origin.
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    answer = await client.post(letter.link, data={**form.fields, **typed}, headers=headers)
    if answer.status_code != 303:
        return answer
    assert answer.headers["location"] == f"{letter.page}/done"
    done = await client.get(answer.headers["location"])
    done.history = [answer]
    return done


async def test_f11_e14_a_scanner_that_opens_every_link_ten_times_changes_nothing(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost
) -> None:
    found = await letters(client, post)
    assert found.keys() == {*Purpose}
    refused = await make.sign_in("ada@example.com", PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (403, "email-unverified")
    # From another address, with cookies that somebody left behind.
    elsewhere = ASGITransport(app=gatepost.app, client=("198.51.100.9", 1))
    jar = {"gp_session": "x", "__Host-gp_session": "x"}
    async with AsyncClient(transport=elsewhere, base_url="http://gatepost.test", cookies=jar) as scanner:
        for _ in range(10):
            for letter in found.values():
                for visitor in (client, scanner):
                    assert (await visitor.get(letter.link)).status_code == 200
                    assert (await visitor.head(letter.link)).status_code == 200
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 403

    for wrong in ("", "not-the-lighthouse-1"):
        refused = await press(client, found[Purpose.VERIFY_EMAIL], password=wrong)
        assert refused.status_code == 422
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 403
    verified = await press(client, found[Purpose.VERIFY_EMAIL], password=PASSWORD)
    assert (verified.status_code, Seen(verified).forms) == (200, [])
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 200
    poor = await press(client, found[Purpose.RESET_PASSWORD], password="password1")
    assert poor.status_code == 422
    assert Seen(poor).forms[0].fields["token"] == found[Purpose.RESET_PASSWORD].token
    assert (await press(client, found[Purpose.RESET_PASSWORD], password="x")).status_code == 422
    assert (await press(client, found[Purpose.RESET_PASSWORD], password=NEW)).status_code == 200
    assert (await make.sign_in("ada@example.com", NEW)).status_code == 200
    for purpose, before, after in (
        (Purpose.CONFIRM_EMAIL, "bob@example.com", "bob@new.example"),
        (Purpose.UNDO_EMAIL, "carol@new.example", "carol@example.com"),
    ):
        assert (await make.sign_in(before, PASSWORD)).status_code == 200
        assert (await press(client, found[purpose], password=PASSWORD)).status_code == 200
        assert (await make.sign_in(before, PASSWORD)).status_code == 400
        # Who puts an address back takes the password away that somebody else knows.
        status = 400 if purpose is Purpose.UNDO_EMAIL else 200
        assert (await make.sign_in(after, PASSWORD)).status_code == status

    assert (await make.sign_in("dan@example.com", PASSWORD)).status_code == 400
    assert (await press(client, found[Purpose.KEEP_ACCOUNT])).status_code == 200
    assert (await make.sign_in("dan@example.com", PASSWORD)).status_code == 200

    signed_in = await press(client, found[Purpose.SIGN_IN_LINK])
    assert "gp_session" in signed_in.history[0].headers["set-cookie"]

    assert (await press(client, found[Purpose.KEEP_FACTORS])).status_code == 200

    for letter in found.values():
        assert (await client.get(letter.link)).status_code == 400
        used = await client.post(letter.page, data={"token": letter.token, "password": NEW})
        assert (used.status_code, used.headers["content-type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_f04_pages_give_nothing_away_and_load_nothing_foreign(
    settings: Settings, clock: MovableClock
) -> None:
    log = StringIO()
    service = Gatepost(settings, clock=clock, log=make_logger("json", "debug", stream=log))
    async with service.lifespan(), open_client(service) as client:
        await look_at_every_page(client, Post(service), log)


async def look_at_every_page(client: AsyncClient, post: Post, log: StringIO) -> None:
    found = await letters(client, post)
    dead = {"": 400, "?token=": 400, "?token=gp_ml_x": 400, "?token=%00%ff": 400, f"?token={'a' * 3000}": 400}
    for letter in found.values():
        pages = [await client.get(letter.link)]
        for query, status in dead.items():
            pages.append(await client.get(letter.page + query))
            assert pages[-1].status_code == status, query
        for form in (
            {"x": "y"},
            {"token": "\x00"},
            {"token": "a" * 3000},
            {"token": "gp_ml_x", "password": NEW},
        ):
            pages.append(await client.post(letter.page, data=form))
            assert pages[-1].status_code == 400, form
        for page in pages:
            assert page.headers["content-security-policy"] == POLICY
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["cache-control"] == "no-store"
            assert "set-cookie" not in page.headers
            # The links of the languages lead to the page itself.
            seen = Seen(page)
            assert all(link.startswith((letter.page, "/assets/")) for link in (*seen.links, *seen.loads))
        for site in ("cross-site", "same-site"):
            foreign = await client.post(
                letter.page, data={"token": letter.token, "password": NEW}, headers={"Sec-Fetch-Site": site}
            )
            assert (foreign.status_code, Seen(foreign).problem) == (403, "csrf-refused")
        assert (await client.get(letter.link)).status_code == 200
        assert letter.page in log.getvalue()
        assert letter.token not in log.getvalue()
    style = await client.get(Seen(await client.get("/verify-email")).loads[1])
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "#1a56db" in style.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pages_speak_the_language_that_the_browser_asks_for(client: AsyncClient, post: Post) -> None:
    found = await letters(client, post)
    for letter in (*found.values(), None):
        titles = set()
        for asked, language in (
            ("de-AT", "de"),
            ("es", "es"),
            ("fr;q=0.9", "fr"),
            ("zh-CN", "zh"),
            ("tlh", "en"),
        ):
            link = letter.link if letter else "/verify-email"
            page = await client.get(link, headers={"Accept-Language": asked})
            assert page.headers["content-language"] == language
            assert f'<html lang="{language}" dir="ltr">' in page.text
            titles.add(Seen(page).title)
        assert len(titles) == 5, titles


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_j13_a_brand_is_text_and_too_many_tries_have_a_page(
    settings: Settings, clock: MovableClock
) -> None:
    brand = settings.brand.model_copy(
        update={"name": "{{7*7}}<b>", "support_url": "https://help.example/?a&b"}
    )
    changed = settings.model_copy(update={"brand": brand, "rate_limits": "on"})
    service = Gatepost(changed, clock=clock, limiter=LocalLimiter(lambda: 0.0))
    async with service.lifespan(), open_client(service) as client:
        page = await client.get("/verify-email")
        assert "{{7*7}}&lt;b&gt;" in page.text
        assert "https://help.example/?a&amp;b" in page.text
        tries = [await client.post("/verify-email", data={"token": "gp_ml_x"}) for _ in range(11)]
    assert [answer.status_code for answer in tries] == [400] * 10 + [429]
    assert tries[-1].headers["content-type"] == "text/html; charset=utf-8"
    assert int(tries[-1].headers["retry-after"]) > 0
