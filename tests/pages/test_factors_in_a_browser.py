"""Passkeys, apps and recovery codes on the pages, in real Chromium with the authenticator that it has for tests."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from io import BytesIO

import httpx2
import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from scripts.page_pictures import SETTINGS, give_authenticator, named
from scripts.pictures import BROWSER_FLAGS
from tests.make import PASSWORD
from tests.pages.test_in_a_browser import press, tab_to
from tests.processes import Server, free_port, serving
from tests.services import chromium, missing_reason

NEW_PASSWORD = "harvest-lantern-58"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("factors"), {**SETTINGS, "GATEPOST_PORT": str(free_port())}
    ) as found:
        yield found


@pytest.fixture(scope="module")
async def chrome() -> AsyncIterator[Browser]:
    if reason := missing_reason("chromium"):
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=BROWSER_FLAGS)
        yield browser
        await browser.close()


class Visitor:
    """Somebody with an account, in front of the pages."""

    def __init__(self, server: Server, page: Page, email: str) -> None:
        self.server, self.page, self.email = server, page, email
        httpx2.post(f"{server.url}/users/", json={"email": email, "password": PASSWORD}).raise_for_status()

    async def open(self, path: str) -> None:
        await self.page.goto(f"{named(self.server.url)}{path}")

    async def sign_in(self, password: str = PASSWORD) -> None:
        await self.open("/sign-in?return_to=/account/security")
        await self.page.fill("#email", self.email)
        await self.page.fill("#password", password)
        await press(self.page)

    async def sign_out(self) -> None:
        await self.open("/sign-out")
        await self.click("Sign out")

    async def click(self, words: str) -> None:
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=words, exact=True).click()

    async def follow(self, words: str) -> None:
        async with self.page.expect_navigation():
            await self.page.get_by_role("link", name=words).click()

    async def type(self, **typed: str) -> None:
        for name, text in typed.items():
            await self.page.fill(f"#{name}", text)
        await press(self.page)

    @property
    def path(self) -> str:
        return httpx2.URL(self.page.url).path

    async def notice(self) -> str | None:
        found = self.page.locator(".notice")
        return await found.get_attribute("data-notice") if await found.count() else None

    async def problem(self) -> str | None:
        return await self.page.locator(".wrong").get_attribute("data-problem")

    async def verify(self) -> None:
        """Confirm the address; with a later proof of it all factors would go that were added before."""
        await self.open("/verify")
        await self.type(email=self.email, code=self.mailed())

    def mailed(self) -> str:
        """Return the code of the newest mail."""
        wanted: dict[str, str | int] = {"to": self.email, "wait": 10}
        return httpx2.get(f"{self.server.url}/test/mail", params=wanted).json()[0]["codes"][0]

    def wait(self, seconds: int) -> None:
        """Let time go by on the service's clock."""
        answer = httpx2.post(f"{self.server.url}/test/clock", json={"advance": seconds})
        assert answer.status_code == 200, answer.text

    def code(self, secret: str) -> str:
        """Return what an app shows when it is as late as the service is."""
        now = httpx2.get(f"{self.server.url}/test/clock").json()["now"]
        return pyotp.TOTP(secret).at(datetime.fromisoformat(now))


async def test_a_passkey_is_added_shown_asked_for_and_removed(server: Server, chrome: Browser) -> None:
    context = await chrome.new_context(locale="en-GB")
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    key = await give_authenticator(page)
    ada = Visitor(server, page, "ada@example.com")

    await ada.sign_in()
    await ada.follow("Add a passkey")
    await ada.type(name="This laptop")
    assert (ada.path, await ada.notice()) == ("/account/security", "passkey-added")

    # Without a name: as soon as the page offers it, the browser has somebody touch the key.
    await ada.sign_out()
    await page.wait_for_url("**/account")
    # By the button, with a name that is typed already.
    await key.leave()
    await ada.sign_out()
    await page.fill("#email", ada.email)
    await page.focus("#passkey")
    # What the page offered by itself may be taken first, on a slow machine; a key pressed then finds nothing to press.
    await key.come_back()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/account")
    # After the password.
    await key.leave()
    await ada.sign_out()
    await ada.sign_in()
    assert ada.path == "/sign-in/step"
    await key.come_back()
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url("**/account/security")

    await ada.follow("Change: This laptop")
    await ada.type(name="Old laptop")
    assert await page.get_by_text("Old laptop").count() == 1
    await ada.follow("Change: Old laptop")
    await ada.click("Remove passkey")
    assert (await ada.notice(), await page.get_by_text("Old laptop").count()) == ("passkey-removed", 0)
    await key.leave()
    await ada.sign_out()
    await ada.sign_in()
    assert ada.path == "/account/security"
    assert troubles == []
    await context.close()


async def test_an_app_by_its_picture_codes_once_and_a_forgotten_password(
    server: Server, chrome: Browser
) -> None:
    context = await chrome.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    grace = Visitor(server, page, "grace@example.com")
    await grace.verify()
    await grace.sign_in()
    await grace.follow("Add an app")
    await grace.type(name="Phone")
    seen = Image.open(BytesIO(await page.locator(".qr").screenshot())).convert("L")
    (barcode,) = zxingcpp.read_barcodes(seen)
    read = pyotp.parse_uri(barcode.text)
    assert read.secret == "".join((await page.locator("#key").inner_text()).split())
    assert (read.name, read.issuer) == (grace.email, "Gatepost")
    await grace.type(code="12345")
    assert await grace.problem() == "code-wrong"
    used = grace.code(read.secret)
    await grace.type(code=used)
    assert (grace.path, await grace.notice()) == ("/account/security/codes", "app-added")
    codes = await page.locator("#codes li").all_inner_texts()
    await page.get_by_role("button", name="Copy").click()
    await page.get_by_role("button", name="Copied").wait_for()
    assert (await page.evaluate("navigator.clipboard.readText()")).split() == codes
    assert len(set(codes)) == 10
    await grace.click("I have kept them")
    await grace.open("/account/security/codes")
    assert grace.path == "/account/confirm"  # a password alone changes no factor from now on

    await grace.sign_out()
    await grace.sign_in()
    await grace.type(code=used)
    assert (grace.path, await grace.problem()) == ("/sign-in/step", "invalid-credentials")
    grace.wait(60)
    await page.check("[name=remember_device]")
    await grace.type(code=grace.code(read.secret))
    assert grace.path == "/account/security"
    await grace.sign_out()
    await grace.sign_in()
    assert grace.path == "/account/security"  # this device is remembered
    async with page.expect_navigation():
        await page.locator("[name=device]").click()
    assert await grace.notice() == "device-forgotten"

    await grace.sign_out()
    await grace.sign_in()
    await grace.follow("Use a recovery code")
    await grace.type(code=codes[0].lower())
    assert grace.path == "/account/security"
    assert await page.get_by_text("9 codes left").count() == 1
    await grace.follow("Make new codes")
    await grace.click("Make new codes")
    fresh = await page.locator("#codes li").all_inner_texts()
    assert not {*fresh} & {*codes}
    await grace.sign_out()
    await grace.sign_in()
    await grace.follow("Use a recovery code")
    await grace.type(code=codes[1])
    assert await grace.problem() == "invalid-credentials"

    # A new password does not take the second step away.
    httpx2.delete(f"{server.url}/test/mail", params={"to": grace.email})
    await grace.open("/forgot")
    await grace.type(email=grace.email)
    await grace.type(code=grace.mailed(), password=NEW_PASSWORD)
    await grace.sign_in(NEW_PASSWORD)
    assert grace.path == "/sign-in/step"
    grace.wait(60)
    await grace.type(code=grace.code(read.secret))
    assert grace.path == "/account/security"
    await context.close()


async def test_without_scripts_every_page_is_there_and_passkeys_say_why_not(
    server: Server, chrome: Browser
) -> None:
    context = await chrome.new_context(java_script_enabled=False, locale="en-GB")
    page = await context.new_page()
    plain = Visitor(server, page, "plain@example.com")
    await plain.open("/sign-in")
    assert await page.get_by_role("button", name="Sign in with a passkey").count() == 0
    await plain.sign_in()
    await plain.follow("Add a passkey")
    assert await page.get_by_text("it needs JavaScript").is_visible()
    await plain.follow("Add an authenticator app instead")
    await plain.type(name="Phone")
    secret = "".join((await page.locator("#key").inner_text()).split())
    await plain.type(code=plain.code(secret))
    codes = await page.locator("#codes li").all_inner_texts()
    # Another language loses nothing.
    await plain.open("/account/security/codes?language=en")
    assert await page.locator("#codes li").all_inner_texts() == codes
    await plain.click("I have kept them")
    await plain.follow("Remove: Phone")
    assert plain.path == "/account/confirm"
    plain.wait(60)
    await plain.type(password=PASSWORD, code=plain.code(secret))
    assert await page.locator("h1").inner_text() == "Remove “Phone”?"
    await plain.sign_out()
    await plain.sign_in()
    await plain.follow("I have lost all of these")
    await plain.click("Remove my second step")
    assert plain.path == "/sign-in/lost/done"
    await plain.sign_in()
    await plain.follow("Use a recovery code")
    await plain.type(code=codes[3])
    # Whoever has a factor has not lost it.
    assert await page.get_by_text("is going to be removed").count() == 0
    await context.close()


async def test_a_second_step_from_the_keyboard_alone(server: Server, chrome: Browser) -> None:
    page = await chrome.new_page(locale="en-GB")
    keys = Visitor(server, page, "keyboard@example.com")
    await keys.sign_in()
    await tab_to(page, "Add an app")
    await press(page)
    await tab_to(page, "name")
    await press(page)
    secret = "".join((await page.locator("#key").inner_text()).split())
    await tab_to(page, "code")
    await page.keyboard.type(keys.code(secret))
    await press(page)
    await tab_to(page, "do")  # what is pressed is named so
    await press(page)
    await tab_to(page, "Sign out")
    await press(page)
    keys.wait(60)
    await keys.sign_in()
    await page.keyboard.type(keys.code(secret))  # the focus is there
    await tab_to(page, "remember_device")
    await page.keyboard.press("Space")
    await tab_to(page, "do")
    await press(page)
    assert keys.path == "/account/security"
    await tab_to(page, "device")
    await press(page)
    assert await keys.notice() == "device-forgotten"
    await page.close()
