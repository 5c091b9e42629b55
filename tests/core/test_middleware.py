"""What stands around every request: ids, crashes, sizes."""

import io
import json
from importlib import resources
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select

from gatepost import Gatepost, Settings
from gatepost.core.events import EventRow
from gatepost.core.logging import make_logger
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = {"email": "ada@example.com", "password": PASSWORD}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_crash_says_nothing_but_its_id_and_leaves_nothing(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")

    answer = await client.post("/users/", json=NEW)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["x-request-id"]
    assert (answer.json()["code"], answer.json()["detail"]) == (
        "internal-error",
        "Something went wrong on our side.",
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
    assert (await client.post("/users/", json=NEW)).status_code == 200


@on_sqlite
async def test_a_request_has_an_id_of_its_own_or_the_callers(client: AsyncClient) -> None:
    async def request_id(sent: str | None) -> str:
        headers = {} if sent is None else {"X-Request-ID": sent}
        return (await client.get("/health", headers=headers)).headers["x-request-id"]

    assert await request_id("trace-0123.abc") == "trace-0123.abc"
    for refused in (None, "", "short", "a" * 65, "with space", "<script>alert</script>"):
        own = await request_id(refused)
        assert own != refused
        assert len(own) >= 24


@on_sqlite
async def test_a_body_over_the_limit_is_refused_by_its_stated_length(client: AsyncClient) -> None:
    for length in ("65537", "9" * 21, "9" * 5000, "-1", "many"):
        answer = await client.post("/users/", content=b"{}", headers={"Content-Length": length})
        assert (answer.status_code, answer.json()["code"]) == (413, "content-too-large"), length
        assert answer.headers["connection"] == "close"


@on_sqlite
async def test_a_body_over_the_limit_is_refused_while_it_arrives(client: AsyncClient) -> None:
    taken: list[int] = []

    async def endless():
        for number in range(1000):
            taken.append(number)
            yield b" " * 10_000

    answer = await client.post("/users/", content=endless(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 413


@on_sqlite
async def test_a_body_at_the_limit_is_read(settings: Settings) -> None:
    tight = make_settings(settings.database_location, settings.data_dir, max_body_bytes=8192)
    service = Gatepost(tight)
    body = b'{"email": "ada@example.com", "password": "%s"}' % PASSWORD.encode()

    async def in_parts(size: int):
        yield body
        yield b" " * (size - len(body))

    async with service.lifespan(), open_client(service) as client:
        for size, status in ((8192, 200), (8193, 413)):
            answer = await client.post(
                "/users/", content=in_parts(size), headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == status


@on_sqlite
async def test_forms_are_read_as_oauth_wants(client: AsyncClient) -> None:
    async def sent(body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        answer = await client.post("/users/token", content=body, headers=headers)
        assert 400 <= answer.status_code < 500
        return answer.json()

    for broken in (b"username=\xff", b"username=%ff", b"&".join(b"a%d=" % number for number in range(60))):
        found = await sent(broken)
        assert (found["code"], found["error"]) == ("form-invalid", "invalid_request")
    twice = await sent(b"username=a&username=b")
    assert (twice["detail"], twice["error"]) == ("A parameter appears twice.", "invalid_request")
    assert (await sent(b"username=a%40example.com&password=+%2B"))["error"] == "invalid_grant"


@on_sqlite
async def test_a_form_that_ends_early_is_the_clients_fault(settings: Settings) -> None:
    said = io.StringIO()
    gatepost = Gatepost(settings, log=make_logger("json", "info", said))
    headers = [(b"host", b"gatepost.test"), (b"content-length", b"100")]
    headers += [(b"content-type", b"application/x-www-form-urlencoded")]
    received = iter(
        [{"type": "http.request", "body": b"username=ada", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/users/token",
        "raw_path": b"/users/token",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("gatepost.test", 80),
    }
    async with gatepost.lifespan():
        await gatepost.app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["detail"] == "The body ended early."
    assert "request.crashed" not in said.getvalue()


@on_sqlite
async def test_the_cause_of_a_503_is_in_the_log_and_not_in_the_answer(settings: Settings) -> None:
    said = io.StringIO()
    nowhere = make_settings("postgresql://me:hush-hush@127.0.0.1:1/none", settings.data_dir)
    gatepost = Gatepost(nowhere, log=make_logger("json", "warning", said))

    async with open_client(gatepost) as client:
        answer = await client.post("/users/", json=NEW)

    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert "Connect" not in answer.text
    (found,) = [line for line in map(json.loads, said.getvalue().splitlines()) if "exception" in line]
    assert (found["event"], found["problem"]) == ("request.unavailable", "database-unavailable")
    assert found["request_id"] == answer.json()["instance"]
    assert "OSError" in found["exception"] or "ConnectionRefusedError" in found["exception"]
    assert "hush-hush" not in said.getvalue()


@pytest.mark.parametrize(
    ("host", "stored"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("fe80::1%eth0", None),
     ("", None), ("unix:/run/" + "deep/" * 30, None), ("name\0", None), ("fe80::1%" + "e" * 80, None),
     ("fe80::1%\x1b[31m", None), ("fe80::1%\0", None)],
)  # fmt: skip
async def test_only_an_address_is_stored_as_one(gatepost: Gatepost, host: str, stored: str | None) -> None:
    transport = ASGITransport(app=gatepost.app, raise_app_exceptions=False, client=(host, 1))
    async with AsyncClient(transport=transport, base_url="http://gatepost.test") as client:
        answer = await client.post("/users/", json=NEW)

    assert answer.status_code == 200
    rows = await gatepost.database.reads.rows(select(EventRow.address).where(EventRow.subject.is_not(None)))
    assert {row.address for row in rows} == {stored}


@on_sqlite
async def test_what_the_docs_are_made_of_is_read_from_disk_once(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.get("/docs/swagger-ui.css")
    monkeypatch.setattr(resources, "files", None)

    again = await client.get("/docs/swagger-ui.css")

    assert (again.status_code, again.content) == (200, first.content)


@on_sqlite
async def test_https_is_insisted_on_where_it_is_served(settings: Settings, client: AsyncClient) -> None:
    assert "strict-transport-security" not in (await client.get("/health")).headers
    secure = make_settings(
        settings.database_location, settings.data_dir, public_url="https://auth.example.com/"
    )
    async with open_client(Gatepost(secure)) as other:
        assert "max-age=" in (await other.get("/health")).headers["strict-transport-security"]


@on_sqlite
async def test_the_server_opens_and_closes_it_by_the_lifespan_protocol(
    settings: Settings,
) -> None:
    """As uvicorn and granian do: messages in, messages out."""
    said: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        said.append(message["type"])

    await Gatepost(settings).app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
