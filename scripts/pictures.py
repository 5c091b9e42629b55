"""Makes the pictures of every mail and of every page behind a link, in docs/images: `python -m scripts.pictures`.

In real Chromium: everything in English, one mail and one page in each other language; 360 and 1280 pixels wide, light
and dark. Ends with 1 if the accessibility checker finds anything in any of them. Needs Chromium, npm, and fonts with
Latin and Chinese characters.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.async_api import Browser, async_playwright

from gatepost.notices import LETTERS, BrandOptions, NoticeOptions, Renderer, preview
from gatepost.pages import Pages
from gatepost.proofs import Purpose
from tests.axe import RUN, axe, findings
from tests.services import chromium

PICTURES = Path(__file__).parent.parent / "docs" / "images"
PLACES = (PICTURES / "mail", PICTURES / "pages")
WIDTHS = (360, 1280)
COLORS = 48
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MAIL_IN_EVERY_LANGUAGE = "sign_in_code"
PAGE_IN_EVERY_LANGUAGE = "reset-password-refused"
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_STYLE = '<link rel="stylesheet" href="page.css">'


@dataclass(frozen=True)
class Picture:
    """One mail or page as one screen shows it."""

    path: Path
    html: str
    width: int
    scheme: Literal["light", "dark"]


def pictures() -> Iterator[Picture]:
    """Return all pictures to make."""
    for shown, html in {**mails(), **pages()}.items():
        for width in WIDTHS:
            for scheme in SCHEMES:
                place = shown.with_name(f"{shown.name}-{width}-{scheme}.png")
                yield Picture(place, html, width, scheme)


def mails() -> dict[Path, str]:
    """Return every mail by the beginning of its pictures' paths."""
    renderer = Renderer(BrandOptions(), NoticeOptions())
    others = [
        (MAIL_IN_EVERY_LANGUAGE, language) for language in renderer.languages.supported if language != "en"
    ]
    wanted = [*((kind, "en") for kind in LETTERS), *others]
    return {
        PLACES[0] / f"{kind}-{language}": preview(renderer, kind, language).html for kind, language in wanted
    }


def pages() -> dict[Path, str]:
    """Return every page likewise."""
    brand = BrandOptions()
    found = {PLACES[1] / f"{name}-en": html for name, html in link_pages(brand, "en").items()}
    for language in Renderer(brand, NoticeOptions()).languages.supported:
        html = link_pages(brand, language)[PAGE_IN_EVERY_LANGUAGE]
        found[PLACES[1] / f"{PAGE_IN_EVERY_LANGUAGE}-{language}"] = html
    return found


def link_pages(brand: BrandOptions, language: str) -> dict[str, str]:
    """Return every page that a link leads to, by its name, with its style in it."""
    made = Pages(brand, NoticeOptions())
    told: dict[str, Any] = {"token": "x", "refused": False, "least": 8, "known_here": False}
    told |= {"email": "ada@example.com", "asked_here": True}
    found = {name: made.render(name, language) for name in ("dead-link", "too-many")}
    for purpose in Purpose:
        asked = {**told, "action": purpose.page}
        found[purpose.page] = made.render(purpose.page, language, **asked)
        found[f"{purpose.page}-done"] = made.render(f"{purpose.page}-done", language, **asked)
    for purpose in (Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL):
        refused = {**told, "action": purpose.page, "refused": True}
        found[f"{purpose.page}-refused"] = made.render(purpose.page, language, **refused)
    elsewhere = {**told, "action": Purpose.SIGN_IN_LINK.page, "asked_here": False}
    found["sign-in-link-elsewhere"] = made.render(Purpose.SIGN_IN_LINK.page, language, **elsewhere)
    return {name: page.html.replace(_STYLE, f"<style>{made.style}</style>") for name, page in found.items()}


async def take(browser: Browser, picture: Picture, checker: str) -> list[str]:
    """Make one picture; return what the checker finds in it."""
    page = await browser.new_page(
        viewport={"width": picture.width, "height": 400}, color_scheme=picture.scheme
    )
    await page.set_content(picture.html)
    shot = Image.open(BytesIO(await page.screenshot(full_page=True, animations="disabled")))
    # Few colours are enough for text, and a quarter of the bytes.
    shot.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(picture.path, optimize=True)
    await page.evaluate(checker)
    found = findings(await page.evaluate(RUN))
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than the screen")
    await page.close()
    return [f"{picture.path.name}: {each}" for each in found]


def writes_chinese() -> bool:
    """Tell whether there is a font for it: without one the pictures would show boxes, and nothing would fail."""
    asked = ["fc-list", ":lang=zh"]
    return bool(shutil.which(asked[0]) and subprocess.run(asked, capture_output=True, check=True).stdout)


async def main() -> int:
    """Make all pictures; return the exit code."""
    program, checker = chromium(), axe()
    if program is None or checker is None or not writes_chinese():
        print(
            "gatepost: needs Chromium, axe (npm fetches it), and a font with Chinese characters",
            file=sys.stderr,
        )
        return 2
    for place in PLACES:
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.png"):
            old.unlink()
    found: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        for picture in pictures():
            found += await take(browser, picture, checker)
        await browser.close()
    made = [each for place in PLACES for each in place.glob("*.png")]
    size = sum(each.stat().st_size for each in made)
    print("\n".join([*found, f"{len(made)} pictures, {size // 1024} kB"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
