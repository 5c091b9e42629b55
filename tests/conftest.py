"""The five things tests ask for: settings, gatepost, client, clock, make. Each test has its own database."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import make_url

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.database import Database
from gatepost.migrations.commands import upgrade
from tests import databases, door
from tests.make import Make
from tests.services import missing_reason

pytest_plugins = ["tests.services", "tests.door", "tests.measured", "tests.routes_once"]

SECRET = "Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "gatepost.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_shelf() -> Iterator[databases.Shelf]:
    """Migrated PostgreSQL databases."""
    with databases.postgres_database() as url:
        asyncio.run(_migrate(url))
        shelf = databases.Shelf(str(make_url(url).database))
        yield shelf
        shelf.clear()


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database of this test's own, once for each kind."""
    if door.address_of(request.config):
        yield door.database_as_begun()
        return
    if request.param == "sqlite":
        path = tmp_path / "gatepost.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with request.getfixturevalue("postgres_shelf").taken() as url:
        yield url


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Settings:
    """Settings for a service on this test's database, with hashes that cost little."""
    return make_settings(database_url, tmp_path, **door.settings_behind(request.config))


def make_settings(database_url: str, data_dir: Path, **changed: Any) -> Settings:
    """Return settings that take nothing from the environment that runs the tests."""
    values: dict[str, Any] = {
        "environment": "test",
        "secret_key": SECRET,
        "database_url": database_url,
        "data_dir": data_dir,
        "log_level": "warning",
        # It looks for work all the time; for tests of what it does alone.
        "run_worker": False,
        # For tests of it alone: the others see what production serves.
        "test_api": False,
        "hashing": {"memory_kib": 64, "iterations": 1},
        # Counting is for tests that ask for it; production refuses to run without.
        "rate_limits": "on" if changed.get("environment") == "production" else "off",
        # Each sign-in would be looked at; for tests of notices alone.
        "notices": {"muted": ["new_device", "sessions_ended_by_reuse"]},
    }
    return Settings(_env_file=None, **{**values, **changed})


@pytest.fixture
def clock() -> MovableClock:
    """The service's clock; it stands still until moved."""
    return MovableClock()


@pytest.fixture
async def gatepost(settings: Settings, clock: MovableClock) -> AsyncIterator[Gatepost]:
    """A running service."""
    service = Gatepost(settings, clock=clock)
    async with service.lifespan():
        yield service


@pytest.fixture
async def client(request: pytest.FixtureRequest, gatepost: Gatepost) -> AsyncIterator[AsyncClient]:
    """A client at the service's public door; with `--door`, of services that run beside the tests."""
    at_the_door = door.address_of(request.config) is not None
    async with door.opened_client(request.config) if at_the_door else open_client(gatepost) as opened:
        yield opened


def open_client(gatepost: Gatepost, **options: Any) -> AsyncClient:
    """Return a client of a service. What crashes there is answered, not raised here, as over a network."""
    transport = ASGITransport(app=gatepost.app, raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://gatepost.test", **options)


@pytest.fixture
def make(request: pytest.FixtureRequest, gatepost: Gatepost, client: AsyncClient) -> Make:
    """Makes people and sessions, through the services and the public door."""
    return Make(gatepost, client, behind_a_door=door.address_of(request.config) is not None)
