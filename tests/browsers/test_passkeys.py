"""Passkeys in a real browser, with the authenticator that it has for tests: made, listed, shown, removed."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, Route, async_playwright

from gatepost import Gatepost
from gatepost.passkeys import AssertionResponse, Passkeys
from tests.conftest import make_settings
from tests.make import PASSWORD
from tests.processes import free_port, serving
from tests.services import chromium, missing_reason

EMAIL = "ada@example.com"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
    "defaultBackupEligibility": True,
    "defaultBackupState": True,
}
# What a page of ours does, with nothing but what browsers have.
PAGE = """<!doctype html><title>passkeys</title><script>
let token;
const ask = async (method, path, body) => {
  const answer = await fetch(path, {
    method, headers: {"Content-Type": "application/json", ...(token ? {"X-CSRF-Token": token} : {})},
    body: body ? JSON.stringify(body) : undefined,
  });
  const text = await answer.text();
  return {status: answer.status, body: text ? JSON.parse(text) : null};
};
const signIn = async (username, password) => {
  const answer = await ask("POST", "/session", {username, password});
  token = answer.body.csrf_token;
  return answer.status;
};
const add = async (name) => {
  const options = await ask("POST", "/users/me/passkeys/options");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.body);
  try {
    const credential = await navigator.credentials.create({publicKey});
    return await ask("POST", "/users/me/passkeys", {name, credential: credential.toJSON()});
  } catch (error) { return {status: 0, body: error.name}; }
};
const show = async (options, mediation) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({publicKey, ...(mediation ? {mediation} : {})});
  return credential.toJSON();
};
</script>"""


@dataclass(frozen=True)
class Scene:
    """The service under its public name, and its database."""

    url: str
    database_url: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    port = free_port()
    directory: Path = tmp_path_factory.mktemp("passkeys")
    found = Scene(f"http://localhost:{port}", f"sqlite:///{directory / 'gatepost.db'}")
    settings = {"GATEPOST_PUBLIC_URL": found.url, "GATEPOST_DATABASE_URL": found.database_url}
    with serving(directory, settings, port=port) as server:
        new = {"email": EMAIL, "password": PASSWORD}
        assert httpx2.post(f"{server.url}/users/", json=new).status_code == 200
        yield found


@pytest.fixture
async def page(scene: Scene) -> AsyncIterator[Page]:
    """A page of the service's own origin, in a browser with an authenticator."""
    if reason := missing_reason("chromium"):
        pytest.skip(reason)

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=PAGE)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = await browser.new_page()
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        await page.route("**/app", answer)
        await page.goto(f"{scene.url}/app")
        yield page
        await browser.close()


async def test_a_browser_makes_a_passkey_shows_it_and_removes_it(
    scene: Scene, page: Page, tmp_path: Path
) -> None:
    assert await page.evaluate("([name, password]) => signIn(name, password)", [EMAIL, PASSWORD]) == 200
    added: dict[str, Any] = await page.evaluate("add('This computer')")
    assert added["status"] == 201, added
    assert added["body"]["name"] == "This computer"
    kept = ("discoverable", "user_verified", "backup_eligible", "backed_up", "transports")
    assert [added["body"][name] for name in kept] == [True, True, True, True, ["internal"]]
    # The authenticator knows that it has one for this account.
    assert await page.evaluate("add('Again')") == {"status": 0, "body": "InvalidStateError"}
    listed = await page.evaluate("ask('GET', '/users/me/passkeys')")
    assert listed["body"]["items"] == [added["body"]]

    # Nobody is named, and the authenticator finds the account.
    gatepost = Gatepost(make_settings(scene.database_url, tmp_path, public_url=scene.url))
    for user_verified in (True, False):
        binding = secrets.token_bytes(32)
        async with gatepost.work() as work:
            asked = await gatepost.build(Passkeys, work).request_options(binding, verified=user_verified)
        shown = await page.evaluate("options => show(options)", asked.model_dump(by_alias=True))
        async with gatepost.work() as work:
            passkeys = gatepost.build(Passkeys, work)
            checked = await passkeys.check(binding, AssertionResponse.model_validate(shown))
            standing = await passkeys.use(checked)
        assert (str(checked.passkey_id), checked.user_verified) == (added["body"]["id"], True)
        assert standing.user_id == checked.user_id
    await gatepost.database.close()
    listed = await page.evaluate("ask('GET', '/users/me/passkeys')")
    assert listed["body"]["items"][0]["last_used_at"] is not None

    removed = await page.evaluate("id => ask('DELETE', '/users/me/passkeys/' + id)", added["body"]["id"])
    assert removed["status"] == 204
    assert (await page.evaluate("ask('GET', '/users/me/passkeys')"))["body"]["items"] == []
