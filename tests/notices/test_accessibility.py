"""Every mail in a real browser, asked about by axe: light and dark, on a telephone and on a desk."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from gatepost.notices import LETTERS, BrandOptions, NoticeOptions, Renderer, preview
from scripts.pictures import PICTURES, pictures
from tests.axe import RUN, axe_or_skip, findings
from tests.services import chromium, missing_reason

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if reason := missing_reason("chromium"):
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        await browser.close()


async def test_axe_finds_nothing_in_any_mail(browser: Browser) -> None:
    checker = axe_or_skip()
    brand = BrandOptions(support_url="https://acme.example/help", footer="1 Main Street", color="#ffcc00")
    renderer = Renderer(brand, NoticeOptions(account_url="https://acme.example/me"))
    mails = {kind: preview(renderer, kind, "de").html for kind in LETTERS}
    page = await browser.new_page()
    found: list[str] = []
    for kind, html in mails.items():
        await page.set_content(html)
        await page.evaluate(checker)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found += [f"{kind}, {scheme}: {each}" for each in findings(await page.evaluate(RUN))]
        await page.set_viewport_size({"width": 320, "height": 500})
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{kind}: wider than a telephone")
    assert found == []

    # The checker does look.
    await page.set_content("<html><body><p style='color:#eee'>Hard to read</p></body></html>")
    await page.evaluate(checker)
    assert len(findings(await page.evaluate(RUN))) >= 2


def test_every_mail_has_its_pictures_and_they_stay_small() -> None:
    assert {file.name for file in PICTURES.iterdir()} == {each.path.name for each in pictures()}
    assert sum(file.stat().st_size for file in PICTURES.iterdir()) < 3_000_000
