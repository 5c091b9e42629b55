"""The pages in real Chromium: for everybody, from the keyboard alone, and without scripts."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, Page, async_playwright

from scripts.page_pictures import PARTS, PICTURES, SCHEMES, SETTINGS, Album, give_authenticator
from scripts.pictures import BROWSER_FLAGS
from tests.axe import RUN, axe_or_skip, findings
from tests.make import PASSWORD
from tests.processes import Server, free_port, serving
from tests.services import chromium, missing_reason

# Of all that is pressed or typed into, but links in a line of text (WCAG 2.2, 2.5.5 and 2.5.8).
SMALL_TARGETS = """() => [...document.querySelectorAll("button, select, summary, nav a, .tick, .button, input")]
  .filter(each => each.type !== "checkbox" && each.checkVisibility() && each.getBoundingClientRect().height < 44)
  .map(each => each.outerHTML)"""
FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  if (at === document.body) return ["nowhere", true];  // the browser's own buttons have it
  return [at.id || at.name || at.textContent.trim(), style.outlineStyle !== "none"];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {**SETTINGS, "GATEPOST_PORT": str(free_port())}
    with serving(tmp_path_factory.mktemp("pages"), settings) as running:
        yield running


@pytest.fixture(scope="module")
async def chrome() -> AsyncIterator[Browser]:
    if reason := missing_reason("chromium"):
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=BROWSER_FLAGS)
        yield browser
        await browser.close()


class Inspection(Album):
    """Looks at each page in place of taking its picture."""

    async def take(self, name: str) -> None:
        self.taken.add(name)
        await self.page.evaluate(self.checker)
        for scheme in SCHEMES:
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = await self.page.evaluate(RUN)
            self.found += [f"{name}, {scheme}: {each}" for each in findings(result)]
        for width in (320, 1440):
            await self.page.set_viewport_size({"width": width, "height": 800})
            if await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.found.append(f"{name}: wider than {width}")
            self.found += [f"{name}: too small: {each}" for each in await self.page.evaluate(SMALL_TARGETS)]


async def test_axe_finds_nothing_on_any_page_and_no_policy_is_broken(server: Server, chrome: Browser) -> None:
    context = await chrome.new_context(locale="en-GB")
    page = await context.new_page()
    album = Inspection(server, context, page, axe_or_skip(), await give_authenticator(page))
    album.page.on(
        "console",
        lambda said: (
            album.found.append(said.text) if said.type == "error" and "status of" not in said.text else None
        ),
    )
    album.page.on("pageerror", lambda error: album.found.append(str(error)))
    for part in PARTS:
        await part(album)
    await context.close()
    assert album.found == []
    assert len(album.taken) >= 30


async def tab_to(page: Page, name: str) -> None:
    """Go on by the key Tab until the focus is there; it must be seen all the way."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        at, seen = await page.evaluate(FOCUS)
        assert seen, at
        if at == name:
            return
    raise AssertionError(f"no way leads to {name}")


async def press(page: Page, key: str = "Enter") -> None:
    async with page.expect_navigation():
        await page.keyboard.press(key)


async def test_the_whole_way_from_the_keyboard(server: Server, chrome: Browser) -> None:
    page = await chrome.new_page(locale="en-GB")
    await page.goto(f"{server.url}/sign-in")
    assert (await page.evaluate(FOCUS))[0] == "email"
    await tab_to(page, "Create an account")
    await press(page)
    await tab_to(page, "email")
    await page.keyboard.type("keys@example.com")
    await tab_to(page, "password")
    await page.keyboard.type("short")
    await press(page)
    # What is wrong is first, and leads to where it is.
    assert await page.evaluate("document.activeElement.className") == "wrong"
    await tab_to(page, "Use at least 8 characters.")
    await page.keyboard.press("Enter")
    assert (await page.evaluate(FOCUS))[0] == "password"
    await page.keyboard.type(PASSWORD)
    await press(page)
    await tab_to(page, "password")
    await page.keyboard.type(PASSWORD)
    await press(page)
    await page.keyboard.press("Tab")
    assert (await page.evaluate(FOCUS))[0] == "Skip to the content"
    await tab_to(page, "Notifications")
    await press(page)
    await tab_to(page, "new_device")
    await page.keyboard.press("Space")
    await tab_to(page, "Save")
    await press(page)
    assert not await page.is_checked("[name=new_device]")
    await page.goto(f"{server.url}/account")
    await tab_to(page, "Sign out")
    await press(page)
    assert page.url == f"{server.url}/sign-in"
    await page.close()


async def test_without_scripts_all_is_there_but_the_comfort(server: Server, chrome: Browser) -> None:
    httpx2.post(f"{server.url}/users/", json={"email": "plain@example.com", "password": PASSWORD})
    context = await chrome.new_context(java_script_enabled=False, locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{server.url}/account/profile")
    assert await page.locator(".eye").count() == 0
    await page.fill("#email", "plain@example.com")
    await page.fill("#password", "not this one")
    await press(page)
    assert await page.locator(".wrong:focus").count() == 1
    assert await page.input_value("#email") == "plain@example.com"
    await page.fill("#password", PASSWORD)
    await press(page)
    await page.fill("#name", "Plain")
    await press(page)
    assert await page.locator(".notice").count() == 1
    await page.locator("summary").click()
    async with page.expect_navigation():
        await page.locator("[hreflang=fr]").click()
    assert await page.locator("h1").inner_text() == "Profil"
    await context.close()


async def test_passwords_can_be_shown_and_caps_lock_is_told(server: Server, chrome: Browser) -> None:
    page = await chrome.new_page(locale="en-GB")
    await page.goto(f"{server.url}/sign-in")
    await page.fill("#password", "Abc")
    await page.get_by_role("button", name="Show password").click()
    assert await page.get_attribute("#password", "type") == "text"
    await page.get_by_role("button", name="Hide password").click()
    assert await page.get_attribute("#password", "type") == "password"
    event = "new KeyboardEvent('keydown', {key: 'A', modifierCapsLock: true})"
    await page.evaluate(f"document.getElementById('password').dispatchEvent({event})")
    assert await page.locator(".caps").inner_text() == "Caps Lock is on."
    # As it is sent it is a password again, for those that keep passwords.
    await page.get_by_role("button", name="Show password").click()
    await page.evaluate("document.forms[0].addEventListener('submit', event => event.preventDefault())")
    await page.press("#password", "Enter")
    assert await page.get_attribute("#password", "type") == "password"
    await page.close()


async def test_the_back_button_sends_nothing_again_and_shows_nothing_of_before(
    server: Server, chrome: Browser
) -> None:
    httpx2.post(f"{server.url}/users/", json={"email": "back@example.com", "password": PASSWORD})
    page = await chrome.new_page(locale="en-GB")
    sent: list[str] = []
    # What a script of the page asks for is no form that is sent again.
    page.on("request", lambda request: sent.extend([request.method] * request.is_navigation_request()))
    await page.goto(f"{server.url}/sign-in")
    for password in ("not this one", PASSWORD):
        await page.fill("#email", "back@example.com")
        await page.fill("#password", password)
        await press(page)
    assert page.url == f"{server.url}/account"
    posts = sent.count("POST")
    for _ in range(2):
        await page.go_back()
        # Who is signed in has no business with the sign-in.
        assert page.url == f"{server.url}/account"
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in")
    await page.go_back()
    assert "/sign-in" in page.url
    assert "back@example.com" not in await page.content()
    assert sent.count("POST") == posts + 1
    await page.close()


def test_every_page_has_its_pictures_and_they_stay_small() -> None:
    found = [*PICTURES.iterdir()]
    assert len(found) >= 120
    assert sum(file.stat().st_size for file in found) < 4_000_000
    assert {Path(file).suffix for file in found} == {".png"}
