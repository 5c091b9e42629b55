"""Services in processes of their own, on each kind of database."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import databases
from tests.processes import Server, serving
from tests.services import missing_reason

# One name for all processes: the issuer of tokens is otherwise the address that each listens on.
ISSUER = {"GATEPOST_PUBLIC_URL": "http://gatepost.test"}


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def empty_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database without any table, once for each kind."""
    with empty_database(request.param, tmp_path_factory.mktemp("database")) as url:
        yield url


@contextmanager
def empty_database(kind: str, directory: Path) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'gatepost.db'}"
        return
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with databases.postgres_database() as url:
        yield url


@dataclass(frozen=True)
class Pair:
    """Two services, each with a process of its own, on one database."""

    one: Server
    other: Server
    database_url: str

    @property
    def both(self) -> tuple[Server, Server]:
        return self.one, self.other


@pytest.fixture(scope="module")
def pair(empty_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    settings = {**ISSUER, "GATEPOST_DATABASE_URL": empty_url}
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(serving(tmp_path_factory.mktemp(name), settings)) for name in ("one", "other")
        )
        yield Pair(one, other, empty_url)
