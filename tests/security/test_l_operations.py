"""Attacks on how the service is run: secrets that everybody knows, old libraries, pages that say too much."""

import io
import json
import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.errors import Stopped
from gatepost.core.logging import make_logger
from gatepost.settings import refusals
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

ROOT = Path(__file__).parents[2]
PRODUCTION: dict[str, Any] = {"environment": "production", "public_url": "https://auth.example.com"}


def production(directory: Path, **changed: Any) -> Settings:
    values = {"rate_limits": "on", **PRODUCTION, **changed}
    return make_settings(values.pop("database_url", "sqlite:///unused.db"), directory, **values)


# ── L01: secrets that everybody knows ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "key", ["changeme", "", " ", "secret", "x" * 64, "changeme" * 8, "your-secret-key-here", "0" * 43]
)
def test_l01_a_default_or_blank_secret_key_does_not_start(tmp_path: Path, key: str) -> None:
    """V13.2.3."""
    with pytest.raises(Stopped, match="GATEPOST_SECRET_KEY"):
        Gatepost(production(tmp_path, secret_key=key))


@pytest.mark.parametrize("url", [
    "postgresql://postgres:postgres@db/gatepost", "postgresql://gatepost:gatepost@db/gatepost",
    "postgresql+asyncpg://app:changeme@db/gatepost", "postgres://app:PASSWORD@db/gatepost",
    "postgresql://admin:admin@db/gatepost", "postgresql://app:123456@db/gatepost", "postgresql://a%62c:abc@db/x",
])  # fmt: skip
def test_l01_a_database_with_a_default_password_does_not_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(Stopped, match="password in GATEPOST_DATABASE_URL") as refused:
        Gatepost(production(tmp_path, database_url=url))
    assert url not in str(refused.value)
    assert refusals(make_settings(url, tmp_path)) == [], "at home it may"


def test_l01_a_redis_with_a_default_password_does_not_start(tmp_path: Path) -> None:
    for url in ("redis://:redis@cache:6379/0", "rediss://default:default@cache", "redis://:changeme@cache"):
        with pytest.raises(Stopped, match="password in GATEPOST_REDIS_URL"):
            Gatepost(production(tmp_path, redis_url=url))


def test_l01_a_password_of_ones_own_starts_and_none_may_be_right(tmp_path: Path) -> None:
    for url in (
        "postgresql://gatepost:Zk3vTq9wLr7yXb2nHc5m@db/gatepost",
        "postgresql://gatepost@/gatepost?host=/run/postgresql",
        "postgresql://postgres:p0stgres-but-not@db/gatepost",
    ):
        assert refusals(production(tmp_path, database_url=url)) == []


# ── L02: dependencies ────────────────────────────────────────────────────────────────────────────

# The first versions without the holes that the attacks name.
FLOORS = {
    "aiosqlite": (0, 22),
    "argon2-cffi": (23, 1),
    "cryptography": (46, 0),
    "fastapi": (0, 115),
    "granian": (2, 7),
    "idna": (3, 7),
    "joserfc": (1, 4),
    "pydantic": (2, 12),
    "python-multipart": (0, 0, 26),
    "sqlalchemy": (2, 0, 40),
    "starlette": (1, 3, 1),
}
FORBIDDEN = {"python-jose", "passlib", "jose", "ecdsa", "rsa", "pycrypto", "jwt", "authlib"}


def required() -> set[str]:
    """Return every distribution that an installation of ours brings with it, by its plain name."""
    found: set[str] = set()
    waiting = ["gatepost"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed, or another platform's
        waiting += [_plain(need) for need in needs if name == "gatepost" or "extra ==" not in need]
    return found


def _plain(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


@pytest.mark.parametrize("name", FLOORS)
def test_l02_no_library_is_older_than_its_last_hole(name: str) -> None:
    assert _numbers(metadata.version(name)) >= FLOORS[name]


def test_l02_no_library_that_nobody_mends_is_used() -> None:
    names = required()
    assert {"starlette", "joserfc", "sqlalchemy"} <= names, "the walk sees what is there"
    assert names & FORBIDDEN == set()
    locked = "\n".join(path.read_text() for path in (ROOT / "requirements").glob("*.txt"))
    assert not {name for name in FORBIDDEN if re.search(rf"^{name}==", locked, re.MULTILINE)}


def test_l02_the_declared_bounds_exclude_the_holes_too() -> None:
    """An installation from the index resolves anew: what is pinned here does not bind it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_plain(need): need for need in project["dependencies"]}
    for name in FLOORS.keys() & declared.keys():
        bound = re.search(r">=([\d.]+)", declared[name])
        assert bound is not None, declared[name]
        assert _numbers(bound[1]) >= FLOORS[name], declared[name]


# ── L05: what is not public ──────────────────────────────────────────────────────────────────────


HIDDEN = (
    *("/docs", "/docs/swagger-ui.css", "/openapi.json", "/redoc", "/metrics", "/debug", "/admin", "/.env"),
    *("/.git/HEAD", "/server-status", "/actuator/env", "/health/details", "/console", "/playground"),
)


@no_database_matters
async def test_l05_in_production_neither_docs_nor_metrics_nor_details_are_public(settings: Settings) -> None:
    """V13.4.2, V13.4.5."""
    home = production(
        settings.data_dir, database_url=settings.database_location, allowed_hosts=["gatepost.test"]
    )
    service = Gatepost(home)
    async with service.lifespan(), open_client(service) as client:
        for path in HIDDEN:
            assert_problem(await client.get(path), 404)
        for path in ("/health", "/health/live", "/health/ready"):
            assert (await client.get(path)).json() == {"status": "healthy"}


# ── L08: pages that say too much ─────────────────────────────────────────────────────────────────

TOLD = (
    *("canary-user", "canary-host", "canary-database", "canary-password", "127.0.0.1", "5432", "asyncpg"),
    *("sqlalchemy", "Traceback", "site-packages", 'File "', "SELECT", "users.email"),
)


async def _everything(client: AsyncClient) -> Iterable[Any]:
    form = {"username": "ada@example.com", "password": PASSWORD}
    new = {"email": "ada@example.com", "password": PASSWORD}
    token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.e30.AAAA"
    return [
        await client.post("/users/", json=new),
        await client.post("/users/token", data=form),
        await client.post(
            "/users/token", data={"grant_type": "refresh_token", "refresh_token": "gp_refresh_aaaaaaaaaaaa"}
        ),
        await client.get("/users/me", headers={"Authorization": f"Bearer {token}"}),
        await client.get("/health/ready"),
        await client.get("/.well-known/jwks.json"),
        await client.post("/setup", json={**new, "code": "gp_setup_x"}),
    ]


@no_database_matters
async def test_l08_a_database_that_is_away_is_not_described(settings: Settings) -> None:
    said = io.StringIO()
    url = "postgresql://canary-user:canary-password@127.0.0.1:1/canary-database"
    gone = make_settings(url, settings.data_dir, database={"connect_timeout": 1})
    async with open_client(Gatepost(gone, log=make_logger("json", "info", said))) as client:
        answers = await _everything(client)

    assert {answer.status_code for answer in answers} <= {400, 401, 403, 503}
    assert sum(answer.status_code == 503 for answer in answers) >= 4
    for answer in answers:
        for told in TOLD:
            assert told not in answer.text + str(answer.headers), answer.request.url
    assert "canary-password" not in said.getvalue()
    for line in said.getvalue().splitlines():
        assert json.loads(line)["event"] in {"request", "request.unavailable", "health.not_ready"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_l08_a_broken_database_is_not_described(gatepost: Gatepost, client: AsyncClient) -> None:
    async with gatepost.database.engine.begin() as connection:
        for statement in ("ALTER TABLE users RENAME TO elsewhere", "ALTER TABLE sessions RENAME TO gone"):
            await connection.exec_driver_sql(statement)

    answers = await _everything(client)

    assert any(answer.status_code == 500 for answer in answers)
    for answer in answers:
        if answer.status_code != 200:
            assert_problem(answer, 400, 401, 403, 500, 503)
        for told in (*TOLD, "elsewhere", "relation", "UndefinedTable", "does not exist"):
            assert told not in answer.text, answer.request.url
