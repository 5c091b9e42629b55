"""Makes the pictures of every page in docs/images/pages, in real Chromium: `python -m scripts.page_pictures`.

Every page in English, the sign-in in all languages; 360 and 1440 pixels wide, light and dark. Ends with 1 if the
accessibility checker finds anything in any of them. Needs Chromium, npm, and fonts with Latin and Chinese characters.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Literal

import httpx2
from PIL import Image
from playwright.async_api import BrowserContext, Page, async_playwright

from scripts.pictures import BROWSER_FLAGS, writes_chinese
from tests.axe import RUN, axe, findings
from tests.processes import Server, free_port, serving
from tests.services import chromium

PICTURES = Path(__file__).parent.parent / "docs" / "images" / "pages"
WIDTHS = (360, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LANGUAGES = ("de", "es", "fr", "zh")
COLORS = 64
PASSWORD = "tangerine-lighthouse-42"
NEW = "harvest-lantern-58"
EMAIL = "ada@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
)

SETTINGS = {
    "GATEPOST_ENVIRONMENT": "test",
    "GATEPOST_RATE_LIMITS": "off",
    "GATEPOST_ACCOUNTS__EMAIL_VERIFICATION": "encouraged",
    "GATEPOST_ACCOUNTS__DELETION_GRACE": "P7D",
    "GATEPOST_BRAND__TERMS_URL": "https://example.com/terms",
    "GATEPOST_BRAND__PRIVACY_URL": "https://example.com/privacy",
    "GATEPOST_BRAND__SUPPORT_URL": "https://example.com/help",
}


@dataclass
class Album:
    """A browser in front of a service, and what is found on the way."""

    server: Server
    context: BrowserContext
    page: Page
    checker: str
    found: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    async def take(self, name: str) -> None:
        """Make the pictures of what the browser shows now."""
        await self.page.evaluate(self.checker)
        for width in WIDTHS:
            await self.page.set_viewport_size({"width": width, "height": 720 if width < 1000 else 900})
            for scheme in SCHEMES:
                await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                file = PICTURES / f"{name}-{width}-{scheme}.png"
                shot = Image.open(BytesIO(await self.page.screenshot(full_page=True, animations="disabled")))
                shot.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
                self.taken.add(file.name)
                result = await self.page.evaluate(RUN)
                self.found += [f"{file.name}: {each}" for each in findings(result)]
            if await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.found.append(f"{name}-{width}: wider than the screen")

    async def open(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(f"{self.server.url}{path}")

    async def fill(self, **typed: str) -> None:
        """Fill in the form, and send it."""
        for name, text in typed.items():
            await self.page.fill(f"#{name}", text)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def press(self, words: str) -> None:
        """Press a button."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=words).first.click()

    def link(self, page: str) -> str:
        """Return the newest link to a page."""
        mails = httpx2.get(f"{self.server.url}/test/mail", params={"wait": 10}).json()
        found = (re.findall(rf"/{page}\?token=\S+", each["text"]) for each in mails)
        return next(links[0] for links in found if links)


@asynccontextmanager
async def opened(server: Server, program: str, checker: str) -> AsyncGenerator[Album]:
    """Open a browser in front of the service."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        context = await browser.new_context(user_agent=FIREFOX, locale="en-GB")
        yield Album(server, context, await context.new_page(), checker)
        await browser.close()


async def outside(album: Album) -> None:
    """Take what is seen before somebody is signed in."""
    await album.open("/sign-in")
    await album.take("sign-in")
    for language in LANGUAGES:
        await album.open(f"/sign-in?language={language}")
        await album.take(f"sign-in-{language}")
    await album.open("/sign-in?language=en")
    await album.page.locator("summary").click()
    await album.take("languages")
    await album.fill(email="ada@example.com", password="not this one")
    await album.take("sign-in-wrong")
    await album.open("/sign-up")
    await album.take("sign-up")
    await album.fill(email="ada", password="short")
    await album.take("sign-up-wrong")
    await album.fill(name="Ada Lovelace", email=EMAIL, password=PASSWORD)
    await album.take("sign-in-joined")
    await album.open("/verify")
    await album.take("verify")
    await album.open("/forgot")
    await album.take("forgot")
    await album.fill(email=EMAIL)
    await album.take("reset")
    await album.open("/nowhere")
    await album.take("error-404")


async def links(album: Album) -> None:
    """Take the pages that links lead to."""
    await album.open(album.link("reset-password"))
    await album.take("link-reset-password")
    await album.open(album.link("verify-email"))
    await album.take("link-verify-email")
    await album.page.fill("#password", PASSWORD)
    await album.press("Confirm address")
    await album.take("link-verify-email-done")
    await album.page.go_back()
    await album.take("link-dead")


async def inside(album: Album) -> None:
    """Take what is seen by somebody who is signed in."""
    await album.open("/sign-in?return_to=/account")
    await album.fill(email=EMAIL, password=PASSWORD)
    body = {"username": EMAIL, "password": PASSWORD}
    httpx2.post(f"{album.server.url}/session", json=body, headers={"User-Agent": IPHONE})
    await album.open("/account")
    await album.take("account")
    for name in ("profile", "email", "password", "sessions", "notices", "data"):
        await album.open(f"/account/{name}")
        await album.take(f"account-{name}")
    await album.open("/account/confirm")
    await album.take("account-confirm")
    await album.open("/account/password")
    await album.fill(current_password=PASSWORD, new_password="password1")
    await album.take("account-password-wrong")
    await album.open("/account/profile")
    await album.press("Save")
    await album.take("account-profile-saved")
    await album.open("/account/email")
    await album.fill(new_email="ada@lovelace.example")
    await album.take("account-email-asked")
    await album.open("/sign-out")
    await album.take("sign-out")


async def another_address(album: Album) -> None:
    """Take the links of a change of address, there and back."""
    await album.open(album.link("confirm-email"))
    await album.take("link-confirm-email")
    await album.press("Confirm new address")
    await album.take("link-confirm-email-done")
    await album.open(album.link("undo-email"))
    await album.take("link-undo-email")
    await album.press("Undo the change")
    await album.take("link-undo-email-done")


async def by_mail(album: Album) -> None:
    """Take the sign-in by mail."""
    await album.open("/sign-in/mail")
    await album.take("sign-in-mail")
    await album.fill(email=EMAIL)
    await album.take("sign-in-code")
    await album.fill(code="000000")
    await album.take("sign-in-code-wrong")
    await album.open(album.link("sign-in-link"))
    await album.take("link-sign-in")
    await album.press("Sign in")
    await album.take("link-sign-in-done")


async def the_end(album: Album) -> None:
    """Take the end of the account, and the way back."""
    await album.open("/account/delete")
    await album.take("account-delete")
    await album.press("Delete my account")
    await album.take("sign-in-after-deletion")
    await album.open(album.link("keep-account"))
    await album.take("link-keep-account")
    await album.press("Keep my account")
    await album.take("link-keep-account-done")


PARTS = (outside, links, inside, another_address, by_mail, the_end)


async def main() -> int:
    """Make all pictures; return the exit code."""
    program, checker = chromium(), axe()
    if program is None or checker is None or not writes_chinese():
        print(
            "gatepost: needs Chromium, axe (npm fetches it), and a font with Chinese characters",
            file=sys.stderr,
        )
        return 2
    PICTURES.mkdir(parents=True, exist_ok=True)
    settings = {**SETTINGS, "GATEPOST_PORT": str(free_port())}
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory), settings) as server:
        async with opened(server, program, checker) as album:
            for part in PARTS:
                await part(album)
    for old in PICTURES.glob("*.png"):
        if old.name not in album.taken:
            old.unlink()
    size = sum(each.stat().st_size for each in PICTURES.glob("*.png"))
    print("\n".join([*album.found, f"{len(album.taken)} pictures, {size // 1024} kB"]))
    return 1 if album.found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
