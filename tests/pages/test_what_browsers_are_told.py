"""Of ASVS V3 what holds for pages and API together: cookies, scripts, and that reading changes nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import select

from gatepost import Gatepost, Settings
from gatepost.core.models import Base
from gatepost.pages import routes
from tests.login.factors import next_code, verify
from tests.make import PASSWORD, Make, Person
from tests.mfa.people import App
from tests.pages.browsing import Browser
from tests.pages.test_pages import INSIDE, OUTSIDE
from tests.post import by_hand

SECURITY = "/account/security"
SCRIPTS = Path(routes.__file__).parents[1] / "static"
LARGEST_COOKIE = 4096  # bytes, with its name and attributes (RFC 6265, section 6.1)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


def test_v3_2_2_v3_5_5_no_script_writes_markup_or_listens_to_other_windows(database_url: str) -> None:
    scripts = [*SCRIPTS.glob("*.js")]
    assert len(scripts) >= 7
    for script in scripts:
        unwanted = (
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|postMessage|onmessage"
        )
        assert not re.search(unwanted, script.read_text()), script.name


def cookies_of(answers: list[Response]) -> Iterator[str]:
    for answer in answers:
        yield from answer.headers.get_list("set-cookie")


async def test_v3_3_every_cookie_is_guarded_and_small_and_in_no_page(
    gatepost: Gatepost, person: Person
) -> None:
    await verify(gatepost, person.id)
    browser, answers = Browser(gatepost), []

    async def keep(answer: Response) -> None:
        await answer.aread()
        answers.append(answer)

    browser.client.event_hooks = {"response": [keep]}
    await browser.open("/sign-in?language=de")
    await browser.open("/sign-in?language=en")
    await browser.send(email=person.email, password="not this one")
    await browser.sign_in(person.email, PASSWORD)
    await browser.open(f"{SECURITY}/app")
    seen = await browser.send(("do", "begin"), name="Phone")
    secret = re.findall(r"secret=(\w+)", seen.answer.text)[0]
    app = App(person.id, f"otpauth://totp/Gatepost:ada?secret={secret}")
    await browser.send(code=app.code(gatepost.clock.now()))
    await browser.open("/sign-out")
    await browser.send()
    await browser.sign_in(person.email, PASSWORD)
    browser.form(("do", "totp")).fields["remember_device"] = "on"
    await browser.send(("do", "totp"), code=next_code(gatepost, app))
    assert browser.seen.path == "/account"

    names = set()
    for cookie in cookies_of(answers):
        pair, *attributes = [part.strip() for part in cookie.split(";")]
        name, _, value = pair.partition("=")
        told = {attribute.lower() for attribute in attributes}
        names.add(name)
        assert name.startswith("__Host-"), cookie
        assert {"secure", "httponly", "path=/"} <= told, cookie
        assert told & {"samesite=lax", "samesite=strict"}, cookie
        assert not any(attribute.startswith("domain=") for attribute in told), cookie
        assert len(cookie.encode()) < LARGEST_COOKIE, name
        if len(value) > 10:
            assert not any(value in answer.text for answer in answers), name
    assert len(names) >= 5, names


async def rows(gatepost: Gatepost) -> dict[str, list[Any]]:
    return {
        table.name: sorted(map(repr, await gatepost.database.reads.rows(select(table))))
        for table in Base.metadata.sorted_tables
    }


async def test_v3_5_3_v3_5_6_reading_changes_nothing_and_no_parameter_makes_a_script_of_it(
    gatepost: Gatepost, client: AsyncClient, make: Make, browser: Browser
) -> None:
    administrator = await make.strongly_signed_in(await make.administrator())
    await browser.sign_in(administrator.person.email, PASSWORD)
    document = (await client.get("/openapi.json")).json()
    known = {"user_id": str(administrator.person.id)}
    paths = [
        re.sub(r"\{(\w+)\}", lambda part: known.get(part[1], str(administrator.person.id)), path)
        for path, operations in document["paths"].items()
        if "get" in operations
    ]
    before = await rows(gatepost)
    for path in paths:
        for query in ("", "?callback=alert&jsonp=alert&format=js"):
            answer = await client.get(f"{path}{query}", headers=administrator.headers)
            assert answer.status_code < 500, path
            assert "javascript" not in answer.headers.get("content-type", ""), path
            await client.head(f"{path}{query}", headers=administrator.headers)
            await client.options(f"{path}{query}", headers=administrator.headers)
    for path in (*INSIDE, *OUTSIDE):
        await browser.client.get(path)
        await browser.client.head(path)
    after = await rows(gatepost)
    events = {re.findall(r"'([a-z_]+\.[a-z_]+)'", row)[0] for row in {*after["events"]} - {*before["events"]}}
    # That all of it was handed out is written down; else nothing.
    assert events == {"account.exported"}
    assert {name for name in after if after[name] != before[name]} <= {"events", "outbox"}
    assert len(paths) > 12


async def test_v3_5_7_scripts_are_the_same_for_everybody(
    gatepost: Gatepost, browser: Browser, person: Person
) -> None:
    await browser.sign_in(person.email, PASSWORD)
    loaded = {each for path in INSIDE for each in (await browser.open(path)).loads}
    assert any(each.endswith(".js") for each in loaded)
    stranger = Browser(gatepost)
    for each in loaded:
        assert (await browser.client.get(each)).content == (await stranger.client.get(each)).content


async def test_v6_2_7_password_managers_are_told_what_each_field_is(browser: Browser, person: Person) -> None:
    async def fields(path: str) -> dict[str, str]:
        text = (await browser.open(path)).answer.text
        inputs = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<input [^>]+>", text)]
        return {each["name"]: each.get("autocomplete", "") for each in inputs if each.get("type") != "hidden"}

    at_sign_in, at_sign_up = await fields("/sign-in"), await fields("/sign-up")
    assert at_sign_in["email"] in {"username webauthn", "username"}
    assert at_sign_in["password"] in {"current-password", "current-password webauthn"}
    assert (at_sign_up["email"], at_sign_up["password"]) == ("username", "new-password")
    await browser.sign_in(person.email, PASSWORD)
    changing = await fields("/account/password")
    assert (changing["current_password"], changing["new_password"]) == ("current-password", "new-password")
    await browser.open(f"{SECURITY}/app")
    seen = await browser.send(("do", "begin"), name="Phone")
    assert 'autocomplete="one-time-code"' in seen.answer.text
