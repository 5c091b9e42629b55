"""Makes the pictures of every mail in docs/images/mail, in real Chromium: `python -m scripts.pictures`.

Every message in English, one in each other language; 360 and 1280 pixels wide, light and dark. Ends with 1 if the
accessibility checker finds anything in any of them. Needs Chromium, npm, and fonts with Latin and Chinese characters.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, async_playwright

from gatepost.core.mail.message import Mail
from gatepost.notices import LETTERS, BrandOptions, NoticeOptions, Renderer, preview
from tests.axe import RUN, axe, findings
from tests.services import chromium

PICTURES = Path(__file__).parent.parent / "docs" / "images" / "mail"
WIDTHS = (360, 1280)
COLORS = 48
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
IN_EVERY_LANGUAGE = "sign_in_code"
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@dataclass(frozen=True)
class Picture:
    """One mail as one screen shows it."""

    mail: Mail
    width: int
    scheme: Literal["light", "dark"]

    @property
    def path(self) -> Path:
        """Where it lies."""
        return PICTURES / f"{self.mail.kind}-{self.mail.language}-{self.width}-{self.scheme}.png"


def pictures() -> Iterator[Picture]:
    """Return all pictures to make."""
    renderer = Renderer(BrandOptions(), NoticeOptions())
    others = [(IN_EVERY_LANGUAGE, language) for language in renderer.languages.supported if language != "en"]
    for kind, language in [*((kind, "en") for kind in LETTERS), *others]:
        for width in WIDTHS:
            for scheme in SCHEMES:
                yield Picture(preview(renderer, kind, language), width, scheme)


async def take(browser: Browser, picture: Picture, checker: str) -> list[str]:
    """Make one picture; return what the checker finds in it."""
    page = await browser.new_page(
        viewport={"width": picture.width, "height": 400}, color_scheme=picture.scheme
    )
    await page.set_content(picture.mail.html)
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
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    found: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        for picture in pictures():
            found += await take(browser, picture, checker)
        await browser.close()
    size = sum(each.stat().st_size for each in PICTURES.glob("*.png"))
    print("\n".join([*found, f"{len(list(pictures()))} pictures, {size // 1024} kB"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
