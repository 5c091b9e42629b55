"""The documentation page in a real browser: it needs no other host, and its Authorize button works."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.make import PASSWORD
from tests.processes import Server, serving
from tests.services import chromium, missing_reason

EMAIL = "ada@example.com"


@dataclass
class Visit:
    """A page, and what the browser complained about or asked for on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("docs")) as running:
        new = {"email": EMAIL, "password": PASSWORD}
        assert httpx2.post(f"{running.url}/users/", json=new).status_code == 200
        yield running


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    if reason := missing_reason("chromium"):
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        visit = Visit(await browser.new_page())
        visit.page.set_default_timeout(15_000)
        # A violation of the page's policy is written to the console as an error.
        visit.page.on(
            "console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None
        )
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("request", lambda sent: visit.hosts.add(urlsplit(sent.url).netloc))
        visit.page.on("requestfailed", lambda sent: visit.failed.append(sent.url))
        yield visit
        await browser.close()


async def test_the_page_stands_on_its_own(server: Server, visit: Visit) -> None:
    await visit.page.goto(f"{server.url}/docs")

    await expect(visit.page.locator(".opblock-summary-path").first).to_be_visible()
    await expect(visit.page.locator(".information-container .title")).to_contain_text("Gatepost")
    await visit.page.locator("#operations-users-sign_up .opblock-summary").click()
    await expect(visit.page.locator("#operations-users-sign_up .opblock-body")).to_be_visible()

    assert visit.complaints == []
    assert visit.failed == []
    assert visit.hosts - {""} == {urlsplit(server.url).netloc}


async def test_the_authorize_button_signs_in_and_me_answers(server: Server, visit: Visit) -> None:
    page = visit.page
    await page.goto(f"{server.url}/docs")

    await page.locator(".btn.authorize").first.click()
    dialog = page.locator(".dialog-ux")
    await dialog.locator("#oauth_username").fill(EMAIL)
    await dialog.locator("#oauth_password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
    await expect(dialog.get_by_role("button", name="Remove authorization")).to_be_visible()
    await dialog.locator(".btn-done").first.click()

    operation = page.locator("#operations-users-me")
    await operation.locator(".opblock-summary").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute", exact=True).click()
    answer = operation.locator(".live-responses-table")
    await expect(answer.locator(".response-col_status").last).to_contain_text("200")
    await expect(answer.locator(".response-col_description").last).to_contain_text(EMAIL)

    assert visit.complaints == []
    assert visit.hosts - {""} == {urlsplit(server.url).netloc}


async def test_a_wrong_password_is_shown_in_the_dialog(server: Server, visit: Visit) -> None:
    await visit.page.goto(f"{server.url}/docs")

    await visit.page.locator(".btn.authorize").first.click()
    dialog = visit.page.locator(".dialog-ux")
    await dialog.locator("#oauth_username").fill(EMAIL)
    await dialog.locator("#oauth_password").fill("not this one")
    await dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()

    await expect(dialog.locator(".errors")).to_contain_text("invalid_grant")
