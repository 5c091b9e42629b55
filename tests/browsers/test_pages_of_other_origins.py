"""A real browser on pages of three origins: one that may use the service's cookies, and two that may not."""

import json
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.make import PASSWORD
from tests.processes import Server, free_port, serving
from tests.services import chromium, missing_reason

EMAIL = "ada@example.com"

SIGN_IN = """async ([url, email, password]) => {
  try {
    const answer = await fetch(url + "/session", {
      method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
      body: JSON.stringify({username: email, password: password}),
    });
    return {status: answer.status, body: await answer.json()};
  } catch (error) { return {status: 0, body: String(error)}; }
}"""
ASK = """async ([url, method, path, token, body]) => {
  try {
    const headers = token ? {"X-CSRF-Token": token} : {};
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(url + path, {
      method, credentials: "include", headers, body: body ? JSON.stringify(body) : undefined,
    });
    const text = await answer.text();
    return {
      status: answer.status, csrf: answer.headers.get("X-CSRF-Token"), body: text ? JSON.parse(text) : null,
    };
  } catch (error) { return {status: 0, body: String(error)}; }
}"""


class Blank(BaseHTTPRequestHandler):
    """Serves an empty page under every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>app</title>")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        """Say nothing."""


@contextmanager
def pages(host: str) -> Generator[str]:
    """Serve empty pages meanwhile; yield their origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Scene:
    """The service under its public name, and the origins of the pages."""

    service: str
    allowed: str
    same_site: str
    """Of the same site, and not allowed."""
    foreign: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    port = free_port()
    url = f"http://localhost:{port}"
    with pages("localhost") as allowed, pages("localhost") as same_site, pages("127.0.0.1") as foreign:
        settings = {"GATEPOST_PUBLIC_URL": url, "GATEPOST_CORS_ORIGINS": allowed}
        directory: Path = tmp_path_factory.mktemp("browsers")
        with serving(directory, settings, port=port) as server:
            _sign_up(server)
            yield Scene(url, allowed, same_site, foreign)


def _sign_up(server: Server) -> None:
    new = {"email": EMAIL, "password": PASSWORD}
    assert httpx2.post(f"{server.url}/users/", json=new).status_code == 200


@pytest.fixture(scope="module")
async def chrome() -> AsyncIterator[Browser]:
    if reason := missing_reason("chromium"):
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def person(chrome: Browser) -> AsyncIterator[BrowserContext]:
    """Somebody with a browser that has no cookies yet."""
    context = await chrome.new_context()
    context.set_default_timeout(20_000)
    yield context
    await context.close()


async def on(person: BrowserContext, origin: str) -> Page:
    page = await person.new_page()
    await page.goto(origin)
    return page


async def sign_in(page: Page, scene: Scene) -> dict[str, Any]:
    return await page.evaluate(SIGN_IN, [scene.service, EMAIL, PASSWORD])


async def ask(page: Page, scene: Scene, method: str, path: str, token: str = "", body: Any = None) -> Any:
    return await page.evaluate(ASK, [scene.service, method, path, token, body])


async def test_an_allowed_page_signs_in_reads_changes_and_signs_out(
    scene: Scene, person: BrowserContext
) -> None:
    page = await on(person, scene.allowed)
    assert (await ask(page, scene, "GET", "/users/me"))["status"] == 401

    signed = await sign_in(page, scene)

    assert signed["status"] == 200, signed
    assert (await ask(page, scene, "GET", "/users/me"))["body"]["email"] == EMAIL
    # Scripts see nothing of it.
    assert await page.evaluate("document.cookie") == ""
    (kept,) = await person.cookies(scene.service)
    assert (kept["name"], kept["httpOnly"], kept["secure"], kept["sameSite"]) == (
        "__Host-gp_session",
        True,
        True,
        "Lax",
    )
    await page.reload()
    token = (await ask(page, scene, "GET", "/session"))["csrf"]
    assert token == signed["body"]["csrf_token"]
    changed = await ask(page, scene, "PATCH", "/users/me", token, {"name": "Ada"})
    assert (changed["status"], changed["body"]["name"]) == (200, "Ada")
    assert (await ask(page, scene, "PATCH", "/users/me", "", {"name": "Eve"}))["status"] == 403
    assert (await ask(page, scene, "DELETE", "/session", token))["status"] == 204
    assert (await ask(page, scene, "GET", "/users/me"))["status"] == 401


@pytest.mark.parametrize("which", ["same_site", "foreign"])
async def test_j05_a_page_that_is_not_allowed_neither_signs_in_nor_reads(
    scene: Scene, person: BrowserContext, which: str
) -> None:
    evil = await on(person, getattr(scene, which))

    assert (await sign_in(evil, scene))["status"] == 0
    assert await person.cookies(scene.service) == []

    signed = await sign_in(await on(person, scene.allowed), scene)
    assert signed["status"] == 200
    token = signed["body"]["csrf_token"]
    for method, path, body in (
        ("GET", "/users/me", None),
        ("GET", "/session", None),
        ("PATCH", "/users/me", {"name": "Eve"}),
        ("DELETE", "/users/me", None),
        ("DELETE", "/session", None),
    ):
        assert (await ask(evil, scene, method, path, token, body))["status"] == 0, path
    still = await ask(await on(person, scene.allowed), scene, "GET", "/users/me")
    assert (still["status"], still["body"]["name"] == "Eve") == (200, False)


@pytest.mark.parametrize("which", ["same_site", "foreign"])
@pytest.mark.parametrize(
    "enctype", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("path", ["/session", "/users/logout", "/users/me/reauthenticate", "/login"])
async def test_j04_a_forged_form_is_refused(
    scene: Scene, person: BrowserContext, which: str, enctype: str, path: str
) -> None:
    signed = await sign_in(await on(person, scene.allowed), scene)
    assert signed["status"] == 200
    evil = await on(person, getattr(scene, which))
    body = json.dumps({"username": "eve@example.com", "password": PASSWORD, "x": "="})
    name, value = body[:-2], '"}'
    form = """([action, enctype, name, value]) => {
      const form = document.createElement("form");
      Object.assign(form, {method: "POST", action, enctype});
      const field = document.createElement("input");
      Object.assign(field, {name, value});
      form.append(field); document.body.append(form); form.submit();
    }"""

    async with evil.expect_navigation() as arrived:
        await evil.evaluate(form, [scene.service + path, enctype, name, value])
    answer = await arrived.value

    assert answer is not None
    assert answer.status in {401, 403, 415}
    still = await ask(await on(person, scene.allowed), scene, "GET", "/users/me")
    assert (still["status"], still["body"]["email"]) == (200, EMAIL)
