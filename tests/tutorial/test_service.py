"""What the contract promises of the service around its users."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Client
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from gatepost import Gatepost, Settings
from gatepost.core.database import Database
from gatepost.migrations import SchemaMismatch
from gatepost.migrations.commands import upgrade
from tests import databases
from tests.conftest import SECRET, make_settings, open_client
from tests.make import PASSWORD, Make
from tests.processes import serving
from tests.services import missing_reason
from tests.tutorial.conftest import Open

ORIGIN = "https://app.example.com"
NEW = {"email": "ada@example.com", "password": PASSWORD}
PUBLIC = {"public_url": "https://auth.example.com", "allowed_hosts": ["gatepost.test"]}


async def test_health(client: AsyncClient) -> None:
    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_ready_says_that_the_database_is_there_and_ours(client: AsyncClient) -> None:
    assert (await client.get("/health/ready")).status_code == 200


async def test_ready_says_503_when_the_schema_is_not_ours(client: AsyncClient, gatepost: Gatepost) -> None:
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE gatepost_version SET version_num = '9999'")

    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert (await client.get("/health")).status_code == 200


async def test_ready_says_503_when_the_database_is_gone(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "gone.db"
    shutil.copy(sqlite_template, path)
    service = Gatepost(make_settings(f"sqlite:///{path}", tmp_path))
    async with service.lifespan(), open_client(service) as client:
        await service.database.close()
        path.unlink()
        answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_change_is_durable_before_the_client_sees_success(
    gatepost: Gatepost, settings: Settings
) -> None:
    """At the first byte of the answer another process already sees the account."""
    other = Gatepost(settings)
    seen: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def look_first(message: Message) -> None:
            if message["type"] == "http.response.start":
                form = {"username": "ada@example.com", "password": PASSWORD}
                async with open_client(other) as client:
                    seen.append((await client.post("/users/token", data=form)).status_code)
            await send(message)

        await gatepost.app(scope, receive, look_first)

    async with other.lifespan(), AsyncClient(transport=ASGITransport(watched), base_url="http://t") as client:
        answer = await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})

    assert (answer.status_code, seen) == (200, [200])


async def test_answers_about_people_are_not_kept_by_caches(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()

    answers = [
        await client.get("/users/me", headers=me.headers),
        await client.get("/users/me"),
        await client.get(f"/users/{me.person.id}", headers=me.headers),
        await client.post("/users/", json={"email": "x@example.com", "password": PASSWORD}),
        await client.get("/nowhere"),
    ]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_the_documentation_is_served_from_here_alone(client: AsyncClient) -> None:
    page = await client.get("/docs")

    assert page.status_code == 200
    assert "://" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        assert f"docs/{name}" in page.text
        assert (await client.get(f"/docs/{name}")).status_code == 200
    assert (await client.get("/docs/oauth2-redirect.html")).status_code == 404


async def preflight(client: AsyncClient, origin: str) -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }
    return await client.options("/users/me", headers=headers)


async def test_pages_of_the_named_origins_alone_may_call(settings: Settings, open_service: Open) -> None:
    changed = make_settings(settings.database_location, settings.data_dir, cors_origins=[ORIGIN + "/"])
    client = await open_service(changed)

    allowed, refused = await preflight(client, ORIGIN), await preflight(client, "https://evil.example")
    answer = await client.get("/health", headers={"Origin": ORIGIN})

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert allowed.headers["access-control-allow-credentials"] == "true"  # never with a wildcard: see below
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


async def test_no_origin_is_allowed_by_default(client: AsyncClient) -> None:
    assert "access-control-allow-origin" not in (await preflight(client, ORIGIN)).headers


def test_a_wildcard_origin_is_refused(tmp_path: Path) -> None:
    for origin in ("*", "https://*.example.com"):
        with pytest.raises(ValidationError, match="wildcard"):
            make_settings("sqlite:///x.db", tmp_path, cors_origins=[origin])


def test_settings_come_from_arguments_environment_and_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "GATEPOST_ENVIRONMENT=test\nGATEPOST_LOG_LEVEL=error\nGATEPOST_TOKENS__ACCESS_LIFETIME=PT5M\nPORT=1234\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEPOST_LOG_LEVEL", "warning")
    monkeypatch.setenv("PORT", "4321")
    monkeypatch.setenv("GATEPOST_SECRET_KEY", SECRET)

    found = Settings(data_dir=tmp_path / "given")

    assert found.environment == "test"
    assert found.tokens.access_lifetime.total_seconds() == 300
    assert (found.log_level, found.port) == ("warning", 4321)
    assert found.data_dir == tmp_path / "given"
    assert found.secret_key is not None
    assert found.secret_key.get_secret_value() == SECRET
    assert SECRET not in repr(found)


def test_the_embedded_database_is_an_sqlite_file_by_default(tmp_path: Path) -> None:
    found = Settings(_env_file=None, data_dir=tmp_path)

    assert found.database_location == f"sqlite:///{tmp_path / 'gatepost.db'}"
    assert found.is_embedded


async def test_an_embedded_database_gets_its_schema_when_the_service_starts(tmp_path: Path) -> None:
    service = Gatepost(
        make_settings(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path, environment="production", **PUBLIC)
    )

    async with service.lifespan(), open_client(service) as client:
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.post("/users/", json=NEW)).status_code == 200


async def test_in_production_a_server_database_is_migrated_by_command_alone(tmp_path: Path) -> None:
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with databases.postgres_database() as url:
        service = Gatepost(make_settings(url, tmp_path, environment="production", **PUBLIC))
        with pytest.raises(SchemaMismatch, match="gatepost db upgrade"):
            async with service.lifespan():
                pass
        await upgrade(database := Database(url))
        await database.close()
        async with service.lifespan(), open_client(service) as client:
            assert (await client.get("/health/ready")).status_code == 200


def test_an_empty_directory_is_all_it_needs_and_a_second_start_finds_everything(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Client(base_url=server.url) as client:
        new = {"email": "ada@example.com", "password": PASSWORD}
        assert client.post("/users/", json=new).status_code == 200

    with serving(tmp_path) as server, Client(base_url=server.url) as client:
        form = {"username": "ada@example.com", "password": PASSWORD}
        assert client.post("/users/token", data=form).status_code == 200
        assert client.get("/health/ready").status_code == 200


def test_settings_come_from_secret_files(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "gatepost_secret_key").write_text(SECRET)
    (secrets / "gatepost_public_url").write_text("https://auth.example.com")
    settings = {"GATEPOST_SECRETS_DIR": str(secrets), "GATEPOST_SECRET_KEY": ""}

    with serving(tmp_path, settings) as server:
        assert "starting at https://auth.example.com" in server.said

    assert not (tmp_path / "data" / "secret_key").exists()


async def test_more_than_ten_token_requests_a_minute_from_one_address_are_refused(
    tmp_path: Path, open_service: Open
) -> None:
    url = f"sqlite:///{tmp_path / 'limits.db'}"
    client = await open_service(make_settings(url, tmp_path, rate_limits="on", redis_url=None))
    await client.post("/users/", json=NEW)
    form = {"username": NEW["email"], "password": NEW["password"]}

    answers = [await client.post("/users/token", data=form) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    refused = answers[-1]
    assert refused.json()["detail"] == "Rate limit exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.headers["ratelimit-policy"].startswith('"')
    assert (await client.get("/health")).status_code == 200
