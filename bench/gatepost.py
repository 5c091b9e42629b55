"""Gatepost as a subject: default settings but for database, data directory, secret, JSON logs, rate limits."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.databases import PostgresStore, SqliteStore, Store
from bench.plan import PASSWORD
from bench.servers import clean_environment
from bench.site import Site
from bench.subjects import ADMIN_EMAIL, Api, Seeded, Subject
from gatepost.core.paging import Cursors
from gatepost.core.secrets import KeyRing
from gatepost.users import UserFilter

_COMMAND = str(Path(sys.executable).parent / "gatepost")
_API = Api(
    health="/health",
    register="/users/",
    token="/users/token",
    me="/users/me",
    listing="/users/?limit=50",
    refresh="/users/token",
)
_TABLES = (
    Seeded("users", owner="id", addresses=("email", "email_canonical")),
    Seeded("passwords", owner="user_id"),
    # Everybody was here before, from the same place: the usual sign-in, of which nobody is told by mail.
    Seeded("sessions", owner="user_id", own="id"),
)
_KEY = "a-throw-away-key-of-the-bench-0123456789abcdef"


def on_postgresql(site: Site, database: str = "gatepost", **settings: str) -> Subject:
    """On a database of the bench's PostgreSQL, whose name is also its folder's. Settings: more of them."""
    address = site.postgres.address(database)
    url = site.postgres.address(database, "asyncpg")
    directory = site.directory(f"{database}-pg")
    return _subject("postgresql", url, PostgresStore(address), directory, settings)


def on_sqlite(site: Site) -> Subject:
    """On a file."""
    directory = site.directory("gatepost-sqlite")
    path = directory / "gatepost.db"
    return _subject("sqlite", f"sqlite+aiosqlite:///{path}", SqliteStore(path), directory, {})


def cursor(position: list[str], **listing: Any) -> str:
    """Return the cursor that the service would give out at this position of a list."""
    return Cursors(KeyRing([_KEY]).derive("cursors")).make(position, UserFilter(**listing).listing())


def _subject(database: str, url: str, store: Store, directory: Path, more: Mapping[str, str]) -> Subject:
    settings = {**_settings(url, directory), **more}
    return Subject(
        key=f"gatepost-{database}",
        name="Gatepost",
        database=database,
        directory=directory,
        command=(_COMMAND, "serve"),
        environment={**settings, "PORT": "{port}"},
        api=_API,
        store=store,
        tables=_TABLES,
        prepare=_preparation(settings, directory),
        admin=True,
    )


def _settings(url: str, directory: Path) -> dict[str, str]:
    return {
        "GATEPOST_DATABASE_URL": url,
        "GATEPOST_DATA_DIR": str(directory / "data"),
        "GATEPOST_SECRET_KEY": _KEY,
        "GATEPOST_ENVIRONMENT": "development",
        "GATEPOST_LOG_FORMAT": "json",  # as in production
        # Load from one address is what limits are there to refuse.
        "GATEPOST_RATE_LIMITS": "off",
    }


def _preparation(settings: Mapping[str, str], directory: Path) -> Callable[[], None]:
    def prepare() -> None:
        _run(["db", "upgrade"], settings, directory)
        create = ["users", "create", ADMIN_EMAIL, "--password-stdin", "--admin", "--json"]
        _run(create, settings, directory, given=f"{PASSWORD}\n")

    return prepare


def _run(arguments: list[str], settings: Mapping[str, str], directory: Path, given: str = "") -> str:
    done = subprocess.run(
        [_COMMAND, *arguments],
        cwd=directory,
        env=clean_environment(settings),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"gatepost {' '.join(arguments)} failed:\n{done.stderr[-2000:]}{done.stdout[-500:]}"
        )
    return done.stdout
