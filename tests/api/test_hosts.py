"""Under which names the service answers, and that no name changes what it answers."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import ValidationError

from gatepost import Gatepost, Settings
from gatepost.core.http.hosts import Hosts
from tests.conftest import make_settings, open_client
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

ODD = [
    b"", b" ", b"auth.example.com/evil?", b"auth.example.com#", b"a/evil?", b"a#", b"a?b", b"user@auth.example.com",
    b"user:pw@auth.example.com", b"auth.example.com:", b"auth.example.com:abc", b"auth.example.com:123456",
    b"auth.example.com:80:80", b"auth.example.com evil.example", b"auth.example.com,evil.example",
    b"auth.example.com\x00", b"auth.example.com\r\nX-Evil: 1", b"auth.example.com\\@evil.example", b"[::1",
    b"::1", b"[::1]evil", b"auth.example.com.evil.example", b"evilauth.example.com", b"\xe2\x84\xaauth.example.com",
    b"auth%2eexample.com", b"a" * 254, b"a" * 20_000, b"https://auth.example.com",
]  # fmt: skip
FOREIGN = [
    "evil.example",
    "evil.example:443",
    "example.com",
    "auth.example.org",
    "localhost",
    "127.0.0.1",
    "test",
]


def production(settings: Settings, **changed: Any) -> Gatepost:
    values = {"environment": "production", "public_url": "https://auth.example.com", "rate_limits": "on"}
    return Gatepost(make_settings(settings.database_location, settings.data_dir, **values | changed))


async def asked(gatepost: Gatepost, *hosts: bytes, path: str = "/users/me", **scope: Any) -> dict[str, Any]:
    """Ask by bare ASGI, with the Host fields as they are; return the start of the answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    base = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    headers = [(b"host", host) for host in hosts]
    await gatepost.app({**base, "headers": headers, "client": ("192.0.2.1", 1), **scope}, receive, send)
    return sent[0]


@no_database_matters
@pytest.mark.parametrize("environment", ["test", "production"])
async def test_i12_an_odd_or_foreign_host_is_refused(
    settings: Settings, environment: str, subtests: pytest.Subtests
) -> None:
    gatepost = production(settings, environment=environment)
    for host in ODD:
        with subtests.test(repr(host[:40])):
            assert (await asked(gatepost, host))["status"] in {400, 431}
    for host in FOREIGN if environment == "production" else FOREIGN[:4]:
        with subtests.test(host):
            assert (await asked(gatepost, host.encode()))["status"] == 400


@no_database_matters
async def test_i12_no_host_and_two_hosts_are_refused(settings: Settings) -> None:
    gatepost = production(settings)
    ours = b"auth.example.com"
    assert (await asked(gatepost))["status"] == 400
    assert (await asked(gatepost, ours, ours))["status"] == 400
    assert (await asked(gatepost, ours, b"evil.example"))["status"] == 400
    assert (await asked(gatepost, b"evil.example", ours, path="/health"))["status"] == 400
    assert (await asked(gatepost, ours))["status"] == 401


@no_database_matters
async def test_the_refusal_is_a_problem_document(settings: Settings) -> None:
    async with open_client(production(settings)) as client:
        answer = await client.get("/users/me", headers={"Host": "evil.example"})

    assert_problem(answer, 400)
    assert answer.json()["code"] == "host-unknown"
    assert "evil" not in answer.text + str(answer.headers)


@no_database_matters
async def test_our_own_names_are_answered(settings: Settings) -> None:
    gatepost = production(settings, allowed_hosts="login.example.org, *.preview.example.net, [2001:db8::1]")
    for host in (
        "auth.example.com",
        "AUTH.example.COM",
        "auth.example.com:443",
        "auth.example.com:8443",
        "login.example.org",
        "a.preview.example.net",
        "a.b.preview.example.net:8000",
        "[2001:db8::1]:8000",
    ):
        assert (await asked(gatepost, host.encode()))["status"] == 401, host
    for host in ("preview.example.net", "evilpreview.example.net", "x.login.example.org", "[2001:db8::2]"):
        assert (await asked(gatepost, host.encode()))["status"] == 400, host


@no_database_matters
async def test_outside_production_names_that_no_stranger_can_have_are_answered(settings: Settings) -> None:
    gatepost = Gatepost(settings)
    for host in (
        "localhost:8000",
        "127.0.0.1",
        "192.168.1.7:8000",
        "[::1]:8000",
        "0.0.0.0:8000",
        "gatepost",
        "testserver",
        "a.localhost",
        "gatepost.test",
        "box.local",
        "db.internal",
        "nas.home.arpa",
    ):
        assert (await asked(gatepost, host.encode()))["status"] == 401, host
    for host in ("rebound.example", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", "evil.co"):
        assert (await asked(gatepost, host.encode()))["status"] == 400, host


@no_database_matters
async def test_probes_need_no_name(settings: Settings) -> None:
    gatepost = production(settings, metrics_token="Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u")
    for path in ("/health", "/health/live", "/metrics"):
        for hosts in ((), (b"10.1.2.3:8000",), (b"evil.example",)):
            assert (await asked(gatepost, *hosts, path=path))["status"] in {200, 401}, (path, hosts)
    for path in ("/health/", "//health", "/Health", "/health/x", "/healthy", "/users/me", "/health%2f"):
        assert (await asked(gatepost, b"10.1.2.3:8000", path=path))["status"] == 400, path


@no_database_matters
async def test_under_a_mount_the_same_names_count(settings: Settings) -> None:
    gatepost = production(settings, public_url="https://www.example.com/auth")
    host = FastAPI()
    gatepost.attach(host, "/auth")
    transport = ASGITransport(app=host, raise_app_exceptions=False)
    for name, statuses in (("www.example.com", (401, 200)), ("evil.example", (400, 200))):
        async with AsyncClient(transport=transport, base_url=f"http://{name}") as client:
            answers = [await client.get(f"/auth{path}") for path in ("/users/me", "/health")]
        assert tuple(answer.status_code for answer in answers) == statuses


@no_database_matters
async def test_k18_an_odd_first_request_changes_nothing(settings: Settings) -> None:
    """What a request says of where we are must not stay with the process."""

    async def seen(gatepost: Gatepost) -> list[str]:
        async with open_client(gatepost) as client:
            paths = ("/openapi.json", "/docs", "/users/me", "/nothing")
            return [(await client.get(path, headers={"X-Request-ID": "the-same-id"})).text for path in paths]

    clean, odd = Gatepost(settings), Gatepost(settings)
    expected = await seen(clean)
    for host in (b"evil.test", b"a/evil?", b"evil.example", b"user@localhost"):
        for path in ("/openapi.json", "/docs"):
            await asked(odd, host, path=path)
            await asked(odd, b"localhost", path=f"/evil{path}", root_path="/evil", scheme="evil")
            await asked(odd, host, path=path, server=("evil.example", 1))

    assert await seen(odd) == expected


@pytest.mark.parametrize(
    "wrong",
    ["*", "https://a.example.com", "a.example.com:80", "a.*.com", "*a.com", "*.", "a b", "a/b", "é.example"],
)
def test_what_is_no_host_name_is_no_setting(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValidationError, match="a host is a name"):
        make_settings("sqlite:///x.db", tmp_path, allowed_hosts=[wrong])


def test_a_flood_of_names_is_not_remembered() -> None:
    hosts = Hosts(["auth.example.com"], private=False)
    assert not any(hosts.allow(f"{number}.example.com".encode()) for number in range(5000))
    assert hosts._known.cache_info().currsize <= 256
