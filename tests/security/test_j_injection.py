"""Attacks on what is written down: log lines that are not ours, secrets that should not be there."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import select, text, update

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.logging import make_logger
from gatepost.core.models import Base
from gatepost.sessions import Session
from tests.conftest import open_client
from tests.make import PASSWORD, Make
from tests.security.doors import Hall, setup_code
from tests.security.operations import no_database_matters

# Recognisable wherever they turn up, also in part.
CANARY_PASSWORD = "CanaryPassword-lighthouse-42"
CANARY_WRONG = "CanaryWrong-lighthouse-43"
CANARY_EMAIL = "canary.address@canary-mail.example"


@pytest.fixture(params=["json", "text"])
def output(request: pytest.FixtureRequest) -> io.StringIO:
    """What the service writes to its log; `format` says how."""
    stream = io.StringIO()
    stream.format = request.param  # ty: ignore[missing-attribute]
    return stream


@pytest.fixture
async def gatepost(settings: Settings, clock: MovableClock, output: Any) -> AsyncIterator[Gatepost]:
    watched = settings.model_copy(update={"metrics_token": SecretStr("q8Wm2Lx7Tz4Rv9Yb1Nc6Jd3Hf5Gs0Kp2")})
    service = Gatepost(watched, clock=clock, log=make_logger(output.format, "debug", stream=output))
    async with service.lifespan():
        yield service


async def everything_stored(gatepost: Gatepost, settings: Settings) -> str:
    """Return the text of every value in every table, and of the database's files where there are any."""
    found: list[str] = []
    for table in Base.metadata.sorted_tables:
        for row in await gatepost.database.reads.rows(select(table)):
            found += [f"{table.name}.{name}={value!r}" for name, value in row._mapping.items()]
    if gatepost.database.is_sqlite:
        file = Path(str(gatepost.database.url.database))
        found += [each.read_bytes().decode("latin-1") for each in file.parent.glob(f"{file.name}*")]
    return "\n".join(found)


def misshapen(body: dict[str, str]) -> list[bytes]:
    """Return the body in shapes that are refused at different depths."""
    whole = json.dumps(body).encode()
    return [
        whole[:-1],
        whole + b"}",
        whole.replace(b'"email"', b'"e-mail"'),
        json.dumps({**body, "extra": CANARY_WRONG}).encode(),
        json.dumps([body]).encode(),
        json.dumps({**body, "email": {"nested": body["email"]}}).encode(),
        json.dumps({**body, "password": [body["password"]]}).encode(),
        json.dumps({**body, "password": body["password"] + "\x00"}).encode(),
        json.dumps({**body, "email": body["email"] + "\ud800"}).encode(),
        json.dumps({**body, "email": body["password"]}).encode(),
        json.dumps({**body, "password": body["email"]}).encode(),
        json.dumps({**body, "name": body["password"] * 100}).encode(),
        b"{" + b", ".join([whole[1:-1]] * 2) + b"}",
        whole + b"\xff",
    ]


async def live_through(hall: Hall) -> list[str]:
    """Do everything that involves secrets, rightly and wrongly; return the secrets that were given out."""
    client, json_type = hall.client, {"Content-Type": "application/json"}
    code = await setup_code(hall.gatepost)
    account = {"email": CANARY_EMAIL, "password": CANARY_PASSWORD}
    for path in ("/users/", "/setup"):
        for body in misshapen({**account, "code": code} if path == "/setup" else account):
            answer = await client.post(path, content=body, headers=json_type)
            assert 400 <= answer.status_code < 500
            assert (await client.post(path, content=body)).status_code == 415
    assert (await client.post("/users/", json=account)).status_code == 200
    assert (await client.post("/users/", json=account)).status_code == 400
    first = {**account, "email": f"first.{CANARY_EMAIL}"}
    assert (await client.post("/setup", json={**first, "code": code[:-1]})).status_code == 403
    assert (await client.post("/setup", json={**first, "code": code})).status_code == 200

    given = [code]
    for password in (CANARY_WRONG, CANARY_PASSWORD, f"{CANARY_PASSWORD}\x00"):
        for email in (CANARY_EMAIL, CANARY_EMAIL.upper(), f"unknown.{CANARY_EMAIL}", CANARY_PASSWORD):
            answer = await hall.make.sign_in(email, password)
            given += _tokens(answer)
    access, refresh = given[1], given[2]
    again = await hall.make.refresh(refresh)
    given += _tokens(again)
    headers = {"Authorization": f"Bearer {given[-2]}"}
    assert (await client.get("/users/me", headers=headers)).status_code == 200
    change = {"password": f"{CANARY_PASSWORD}-new", "current_password": CANARY_WRONG}
    assert (await client.patch("/users/me", json=change, headers=headers)).status_code == 422
    change["current_password"] = CANARY_PASSWORD
    assert (await client.patch("/users/me", json=change, headers=headers)).status_code == 200
    await _in_odd_places(client, access, given[-1])
    await _crash(hall, headers, account)
    assert (await hall.make.reuse(refresh)).status_code == 400
    return given


def without_prefix(token: str) -> str:
    """Return the part of a token that is the secret: the signature of a JWT, the random text of the others."""
    return token.rpartition(".")[2] if "." in token else token.split("_", 2)[2]


def _tokens(answer: Response) -> list[str]:
    if answer.status_code != 200:
        return []
    return [answer.json()["access_token"], answer.json()["refresh_token"]]


async def _in_odd_places(client: AsyncClient, access: str, refresh: str) -> None:
    """Send secrets where nobody asked for them."""
    for secret in (access, refresh, CANARY_EMAIL):
        for path in (
            f"/users/{secret}",
            f"/users/{quote(secret, safe='')}",
            f"/{secret}/x",
            f"/docs/{secret}",
        ):
            await client.get(path)
        await client.post("/users/token", params={"password": CANARY_WRONG, "refresh_token": secret})
        await client.get("/users/me", params={"access_token": access, "password": CANARY_WRONG})
        await client.get("/users/me", headers={"Authorization": f"Basic {secret}"})
        await client.get("/users/me", headers={"Authorization": secret, "Cookie": f"a={access}"})
        await client.request("BREW", f"/users/{secret}")


async def _crash(hall: Hall, headers: dict[str, str], account: dict[str, str]) -> None:
    """Let a fault of ours happen: its traceback goes to the log, and nothing of it to the client."""
    async with hall.gatepost.work() as work:
        await work.session.execute(update(Session).values(amr=5))
    crashed = await hall.client.get("/users/me", headers=headers)
    assert (crashed.status_code, crashed.json()["code"]) == (500, "internal-error")
    body = {**account, "current_password": CANARY_WRONG}
    crashed = await hall.client.patch("/users/me", json=body, headers=headers)
    assert (crashed.status_code, crashed.json()["code"]) == (500, "internal-error")


async def test_j12_no_secret_and_no_address_is_in_the_log_or_the_metrics(
    hall: Hall, output: io.StringIO
) -> None:
    given = await live_through(hall)

    log = output.getvalue()
    assert "request.crashed" in log
    assert "TypeError" in log
    assert hall.gatepost.measures is not None
    log += (await hall.gatepost.measures.text()).decode()
    assert "gatepost_sign_ins_total" in log

    for secret in (CANARY_PASSWORD, CANARY_WRONG, *given, *map(without_prefix, given)):
        assert secret not in log
    for part in ("canary.address", "canary-mail", "CANARY"):
        assert part not in log


async def test_j12_no_secret_is_in_the_database(hall: Hall, settings: Settings, output: io.StringIO) -> None:
    given = await live_through(hall)

    stored = await everything_stored(hall.gatepost, settings)

    assert CANARY_EMAIL in stored, "the scan sees what is there"
    assert "$argon2id$" in stored
    for secret in (CANARY_PASSWORD, CANARY_WRONG, *given, *map(without_prefix, given)):
        assert secret not in stored
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() not in stored


async def test_j12_the_private_key_is_in_the_database_under_seal_only(
    gatepost: Gatepost, settings: Settings, make: Make
) -> None:
    await make.signed_in()
    private = (await gatepost.keys.signing()).jwk.as_dict(private=True)["d"]
    assert str(private) not in await everything_stored(gatepost, settings)


async def test_j12_the_events_hold_no_address(hall: Hall) -> None:
    await live_through(hall)
    rows = await hall.gatepost.database.reads.rows(text("SELECT * FROM events"))
    assert len(rows) > 10
    assert "canary" not in repr(rows).casefold()


INJECTIONS = {
    "CR LF": '\r\n{"event": "forged"}\r\n',
    "LF": '\n{"event": "forged"}',
    "CR": "\rforged",
    "ANSI": "\x1b[2J\x1b[31mforged\x1b[0m",
    "C1": "\x9b2Jforged",
    "next line": "a\x85forged",
    "line separator": "a\u2028forged",
    "paragraph separator": "a\u2029forged",
    "right-to-left": "\u202eforged\u2066",
    "bell and backspace": "\x07\x08\x7fforged",
    "vertical tab and form feed": "\x0b\x0cforged",
    "NUL": "\x00forged",
    "JSON": '", "event": "forged", "x": "',
}


async def ask(gatepost: Gatepost, **scope: Any) -> None:
    """Ask by bare ASGI: no client or server between, so nothing is refused or encoded on the way."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        return

    base = {"type": "http", "method": "GET", "path": "/nothing", "raw_path": b"/nothing", "query_string": b""}
    await gatepost.app({**base, "headers": [], "client": ("127.0.0.1", 1), **scope}, receive, send)


@no_database_matters
async def test_j11_nothing_that_is_sent_writes_a_line_of_its_own(
    gatepost: Gatepost, output: Any, subtests: pytest.Subtests
) -> None:
    for name, sent in INJECTIONS.items():
        with subtests.test(name):
            raw, header = sent.encode(), sent.encode("utf-8")
            before = output.getvalue()
            asked = [
                {"path": f"/{sent}", "raw_path": b"/" + raw},
                {"path": f"/{sent}", "raw_path": quote(sent).encode()},
                {"path": f"/users/{sent}", "raw_path": None},
                {"query_string": raw},
                {"headers": [(b"user-agent", header)]},
                {"headers": [(b"x-request-id", b"abcdefgh" + header)]},
                {
                    "headers": [(b"authorization", b"Bearer " + header)],
                    "path": "/users/me",
                    "raw_path": b"/users/me",
                },
                {"headers": [(b"host", header), (b"x-forwarded-for", header), (b"referer", header)]},
                {"headers": [(header, header)]},
                {"method": "POST" + sent},
            ]
            for scope in asked:
                await ask(gatepost, **scope)

            lines = output.getvalue()[len(before) :].split("\n")

            assert lines.pop() == ""
            assert not any(_is_control(char) for line in lines for char in line)
            # Said once: that somebody sends forwarding headers.
            lines = [line for line in lines if "proxy.unconfigured" not in line]
            assert len(lines) == len(asked)
            if output.format == "json":
                assert {json.loads(line)["event"] for line in lines} == {"request"}


@no_database_matters
async def test_j11_fields_of_a_body_write_no_line_either(
    client: AsyncClient, make: Make, output: Any, subtests: pytest.Subtests
) -> None:
    for name, sent in INJECTIONS.items():
        with subtests.test(name):
            me = await make.signed_in()
            before = output.getvalue()
            account = {"email": "a@example.com", "password": PASSWORD}
            answers = [
                await client.post("/users/", json={**account, "email": sent}),
                await client.post("/users/", json={**account, sent: sent}),
                await client.patch("/users/me", json={"name": f"x{sent}"}, headers=me.headers),
                await client.post("/users/token", data={"username": sent, "password": sent}),
                await client.post("/users/token", data={"grant_type": sent, "scope": sent}),
                await client.post("/setup", json={**account, "code": sent}),
            ]
            assert all(answer.status_code < 500 for answer in answers)

            lines = output.getvalue()[len(before) :].splitlines()

            assert len(lines) == len(answers)
            assert not any(_is_control(char) for line in lines for char in line)


def _is_control(char: str) -> bool:
    point = ord(char)
    return point < 0x20 or 0x7F <= point < 0xA0 or point in {0x2028, 0x2029} or 0x202A <= point <= 0x202E


async def test_j11_what_is_stored_of_a_user_agent_is_harmless_to_show(
    client: AsyncClient, make: Make, gatepost: Gatepost, subtests: pytest.Subtests
) -> None:
    person = await make.user()
    form = {"username": person.email, "password": PASSWORD}
    newest = select(Session.user_agent).order_by(Session.id.desc())
    for name, sent in INJECTIONS.items():
        with subtests.test(name):
            agent = b"agent " + sent.encode()
            assert (
                await client.post("/users/token", data=form, headers=[(b"user-agent", agent)])
            ).status_code == 200
            row = await gatepost.database.reads.first(newest)
            assert row is not None
            assert row.user_agent.startswith("agent ")
            assert not any(_is_control(char) for char in row.user_agent)


@no_database_matters
async def test_j11_a_crash_is_one_line_of_json(gatepost: Gatepost, make: Make, output: Any) -> None:
    me = await make.signed_in()
    async with gatepost.work() as work:
        await work.session.execute(update(Session).values(amr=5))
    before = output.getvalue()
    async with open_client(gatepost) as client:
        await client.get("/users/me", headers=me.headers)
    lines = output.getvalue()[len(before) :].splitlines()
    if output.format == "json":
        assert [json.loads(line)["event"] for line in lines] == ["request.crashed", "request"]
        assert "TypeError" in lines[0]
    else:
        assert not any(_is_control(char) for line in lines for char in line)


MARKUP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "javascript:alert(1)",
    "</title><script>alert(1)</script>", "<!--<script>", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "'-alert(1)-'",
    "\u003cscript\u003e", "&lt;script&gt;", "%3Cscript%3E", "+ADw-script+AD4-", "<iframe srcdoc='<script>'>",
    "\ufeff<script>", "<math><mtext></form><form>", "\x3cscript\x3e", "<ScRiPt>", "<a href='//evil.example'>",
]  # fmt: skip
# No browser may take these for a page, whatever is in them.
HARMLESS = {"application/json", "application/problem+json"}


async def reflected(client: AsyncClient, make: Make, sent: str) -> list[Response]:
    """Send the text wherever text is taken; return the answers."""
    me = await make.signed_in()
    field, account = quote(sent), {"email": "a@example.com", "password": PASSWORD}
    header = quote(sent).encode()
    named = await client.patch("/users/me", json={"name": sent}, headers=me.headers)
    assert named.json()["name"] == sent
    return [
        named,
        await client.get("/users/me", headers=me.headers),
        await client.get(f"/{field}"),
        await client.get(f"/docs/{field}"),
        await client.get(f"/users/{field}", headers=me.headers),
        await client.get("/users/", params={"q": sent, sent: sent}, headers=me.headers),
        await client.get("/users/me", headers={"Authorization": f"Bearer {field}"}),
        await client.get("/users/me", headers=[(b"authorization", header), (b"accept", b"text/html")]),
        await client.get("/health", headers=[(b"x-request-id", sent.encode())]),
        await client.get(f"/users/me?callback={field}&jsonp={field}", headers=me.headers),
        await client.post("/users/", json={**account, "email": sent}),
        await client.post("/users/", json={**account, sent: sent}),
        await client.post("/users/", content=sent.encode(), headers={"Content-Type": "application/json"}),
        await client.post("/users/", content=sent.encode(), headers={"Content-Type": "text/html"}),
        await client.post("/users/token", data={"username": sent, "password": sent, "scope": sent}),
        await client.post("/users/token", data={"grant_type": sent, sent: sent}),
        await client.post("/setup", json={**account, "code": sent}),
    ]


@no_database_matters
async def test_j01_nothing_that_is_sent_comes_back_as_a_page(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    """V3.2.1, V3.5.6: JSON by name and by content, never sniffed, and no page even if one were made of it."""
    for sent in MARKUP:
        with subtests.test(sent):
            for answer in await reflected(client, make, sent):
                assert answer.headers["content-type"] in HARMLESS
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert (
                    answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
                )
                assert isinstance(answer.json(), dict)
                assert sent not in str(answer.headers)
                if answer.status_code >= 400 and "<" in sent:
                    assert not any(
                        sent in str(answer.json()[member]) for member in ("detail", "title", "type")
                    )
