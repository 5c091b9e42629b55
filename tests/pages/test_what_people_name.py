"""What people call things, on every page that shows it; who may frame a page, and what may be sent as a file."""

from html import escape

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.login.factors import next_code
from tests.make import PASSWORD, Make, Person
from tests.mfa.people import enrolled
from tests.pages.browsing import Browser
from tests.pages.test_pages import INSIDE, OUTSIDE
from tests.passkeys.desk import Desk
from tests.post import Post, by_hand
from tests.security.expect import assert_problem

SECURITY = "/account/security"
# Of each kind one that would get out of where it stands: of text, of an attribute, of a script, of a template.
CORPUS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onfocus=alert(1) autofocus='",
    "</title></style></textarea><svg onload=alert(1)>",
    "javascript:alert(1)//</script>",
    "{{7*7}}${7*7}#{7*7}{% raw %}",
    "&lt;script&gt;alert(1)&#60;/script&#62;",
    "<!--<script>--><a href=//evil.example>",
    "\u202e<b>txet\u202c %(name)s %s {name}",
    "＜script＞alert(1)＜/script＞",
]
MARKUP = ("<script>", "<svg onload", "<img src=x", "<b>txet")
UPLOADS = [
    ("face.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"),
    ("face.gif", b"GIF89a/*<svg onload=alert(1)>*/=1;alert(1)", "image/gif"),
    ("face.html", b"<script>alert(1)</script>", "text/html"),
]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def shown(browser: Browser, path: str, name: str) -> None:
    """Assert that a page shows a name as text. That no tag has a handler is asserted for each page that is read."""
    seen = await browser.open(path)
    assert (seen.path, seen.answer.status_code) == (path, 200)
    assert escape(name) in seen.answer.text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
    assert not any(each in seen.answer.text for each in MARKUP)
    assert "//evil.example" not in seen.links


async def test_j15_what_people_call_their_passkeys_apps_and_themselves_is_text(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    for name in CORPUS:
        person = await make.user()
        me = await make.signed_in(person)
        app = await enrolled(client, me, clock.now(), **({"name": name} if name.isprintable() else {}))
        me = await make.strongly_signed_in(person)
        added = await Desk(gatepost, client).add(me, name=name if name.isprintable() else "My phone")
        changed = await client.patch("/users/me", json={"name": name}, headers=me.headers)
        assert changed.json()["name"] == name

        browser = Browser(gatepost)
        await browser.sign_in(person.email, PASSWORD)
        assert (await browser.send(("do", "totp"), code=next_code(gatepost, app))).path == "/account"
        await shown(browser, "/account", name)
        await shown(browser, "/account/profile", name)
        if name.isprintable():
            for path in (f"{SECURITY}/apps/{app.id}", f"{SECURITY}/passkeys/{added['id']}", SECURITY):
                await shown(browser, path, name)
    assert all("<script>" not in letter.html for letter in await Post(gatepost).letters())


async def test_j15_what_a_browser_calls_itself_is_text(gatepost: Gatepost, person: Person) -> None:
    for agent in CORPUS:
        browser = Browser(gatepost, **{"User-Agent": agent.encode("ascii", "ignore").decode()})
        await browser.sign_in(person.email, PASSWORD)
        for path in ("/account/sessions", SECURITY):
            seen = await browser.open(path)
            assert (seen.path, seen.answer.status_code) == (path, 200)
            assert not any(each in seen.answer.text for each in MARKUP)
    assert all("<script>" not in letter.html for letter in await Post(gatepost).letters())


async def test_j15_a_name_that_its_owner_could_not_read_is_refused_and_named(
    client: AsyncClient, make: Make, person: Person, browser: Browser
) -> None:
    me = await make.signed_in(person)
    await browser.sign_in(person.email, PASSWORD)
    for name in ("", " ", "two\nlines", "one\ttab", "a\x1b[31m", "\u202ebackwards", "x" * 101):
        answer = await client.post("/users/me/factors/totp", json={"name": name}, headers=me.headers)
        assert_problem(answer, 422)
        assert [error["field"] for error in answer.json()["errors"]] == ["name"]
        # The page says so beside the field; a field that was left empty means that there is no name.
        await browser.open(f"{SECURITY}/app")
        seen = await browser.send(("do", "begin"), name=name)
        assert seen.answer.status_code == (422 if name else 200), name
        if not name:
            await browser.send(("do", "again"))


async def test_j07_no_page_can_be_framed(browser: Browser, person: Person) -> None:
    for path in (*OUTSIDE, "", *INSIDE, "/sign-in/step", "/verify-email", "/nothing-here"):
        if not path:
            await browser.sign_in(person.email, PASSWORD)
            continue
        headers = (await browser.client.get(path, headers={"Accept": "text/html"})).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["cross-origin-opener-policy"] == "same-origin", path


async def test_j14_nothing_takes_a_file_and_what_is_drawn_runs_nothing(
    client: AsyncClient, make: Make, browser: Browser, person: Person
) -> None:
    me = await make.signed_in(person)
    document = (await client.get("/openapi.json")).json()
    taken = {
        kind
        for operations in document["paths"].values()
        for operation in operations.values()
        for kind in operation.get("requestBody", {}).get("content", {})
    }
    assert taken == {"application/json", "application/x-www-form-urlencoded"}
    for file in UPLOADS:
        for path in ("/users/me", "/users/me/factors/totp", "/users/me/passkeys"):
            method = "PATCH" if path == "/users/me" else "POST"
            answer = await client.request(method, path, files={"name": file}, headers=me.headers)
            assert_problem(answer, 415)
    await browser.sign_in(person.email, PASSWORD)
    for path in INSIDE:
        text = (await browser.open(path)).answer.text
        assert 'type="file"' not in text
        assert "multipart/form-data" not in text
    (icon,) = {each for each in browser.seen.loads if each.endswith(".svg")}
    drawn = await browser.client.get(icon)
    assert drawn.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in drawn.headers["content-security-policy"]
