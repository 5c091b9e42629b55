"""The tests of the public door, against services that run already.

    GATEPOST_TEST_POSTGRES_URL=… GATEPOST_TEST_REDIS_URL=… pytest --door http://127.0.0.1:8000

These are the PostgreSQL and the Redis of the services, which run with the settings of `behind_the_door`. Only tests
that speak to the service through `client` and `make` alone are run, each once: the others hold a service of their own
in their hands, its settings or its clock. Every test begins with the tables as they were.
"""

import os
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import h11
import pytest
from httpx2 import (
    AsyncClient,
    AsyncHTTPTransport,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    Request,
    Response,
)

from tests.databases import execute
from tests.services import POSTGRES_URL, REDIS_URL

__all__ = ["GRACE", "address_of", "behind_the_door", "database_as_begun", "settings_behind"]

GRACE = 3
"""How long, in seconds, a refresh token may be shown again: nobody moves the clock of services that run already."""

_OPTION = "--door"
# Fixtures that are made with the help of a service, and speak to it at its door.
_AT_THE_DOOR = frozenset({"client", "make", "hall"})
# What only somebody has who holds the service in his hands.
_IN_HAND = frozenset({"gatepost", "settings", "clock", "database_url", "monkeypatch"})
# Where a service without settings says it is.
ISSUER = "http://127.0.0.1:8000"
# What a proxy itself says of requests that are none, or too long.
_REFUSED_BY_PROXIES = frozenset({400, 413, 414, 431})
_LONG = 65_536
_LIMITS = ("GENERAL", "CREDENTIALS", "ACCOUNT", "SIGN_UP", "RECIPIENT", "MAIL_ORIGIN")
# What the migration and the start of the services have put into their tables is kept beside them.
_AS_BEGUN = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;
    IF to_regnamespace('as_begun') IS NULL THEN
        CREATE SCHEMA as_begun;
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('CREATE TABLE as_begun.%I AS TABLE public.%I', name, name);
        END LOOP;
    END IF;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format('INSERT INTO public.%I SELECT * FROM as_begun.%I', name, name);
    END LOOP;
END $$
"""


def behind_the_door() -> Mapping[str, str]:
    """Return the settings that the tests expect of the services: limits that count and stand in nobody's way."""
    return {
        "GATEPOST_ENVIRONMENT": "test",
        "GATEPOST_PUBLIC_URL": ISSUER,
        "GATEPOST_RATE_LIMITS": "on",
        **{f"GATEPOST_LIMITS__{name}": "1000000" for name in _LIMITS},
        "GATEPOST_LIMITS__FREE_FAILURES": "1000",
        "GATEPOST_TOKENS__REFRESH_GRACE": f"PT{GRACE}S",
    }


def address_of(config: pytest.Config) -> str | None:
    """Return where the services are, None if each test makes its own."""
    found: str | None = config.getoption(_OPTION)
    return found


@asynccontextmanager
async def opened_client(config: pytest.Config) -> AsyncGenerator[AsyncClient]:
    """Open a client of the services meanwhile."""
    async with AsyncClient(transport=Sender(), base_url=address_of(config) or "", timeout=60) as client:
        yield client


class Sender(AsyncHTTPTransport):
    """Sends requests, and skips the test when one cannot come through to the services as it was meant."""

    async def handle_async_request(self, request: Request) -> Response:
        try:
            answer = await super().handle_async_request(request)
        except (LocalProtocolError, h11.LocalProtocolError) as error:
            pytest.skip(f"no client sends this: {error}"[:200])
        except (ReadError, RemoteProtocolError):
            if not _is_long(request):
                raise
            pytest.skip("the proxy breaks off when a body is refused before its end")
        if answer.status_code in _REFUSED_BY_PROXIES and "x-request-id" not in answer.headers:
            pytest.skip(f"the proxy refuses this: {answer.status_code}")
        # How much is left changes with every answer, and the time with every second: no test here is about them.
        for name in ("ratelimit", "date"):
            answer.headers.pop(name, None)
        return answer


def _is_long(request: Request) -> bool:
    return int(request.headers.get("content-length", _LONG)) >= _LONG


def database_as_begun() -> str:
    """Have the services' tables hold what they held at the beginning; return the URL of their database."""
    execute(_AS_BEGUN)
    return os.environ[POSTGRES_URL]


def settings_behind(config: pytest.Config) -> dict[str, Any]:
    """Return what the service that makes people for a test has in common with those, if there are such."""
    if address_of(config) is None:
        return {}
    return {"redis_url": os.environ[REDIS_URL], "run_worker": False}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        _OPTION, metavar="URL", help="run the tests of the public door, against the services there"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if address_of(config) is None:
        return
    # Once, and not for each kind of database: there is only one behind the door.
    chosen = {_without_database(item): item for item in items if _is_of_the_door(item)}
    left_out = [item for item in items if chosen.get(_without_database(item)) is not item]
    config.hook.pytest_deselected(items=left_out)
    items[:] = chosen.values()


def _is_of_the_door(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or "client" not in item.fixturenames:
        return False
    asked = item._fixtureinfo
    known = asked.name2fixturedefs
    # A service that a file makes otherwise is not the one behind the door.
    made = ("client", "gatepost", "settings", "database_url")
    its_own = any(known[name][-1].baseid != "tests" for name in made)
    return not its_own and not _reached(asked.initialnames, known) & _IN_HAND


def _reached(names: Collection[str], known: Mapping[str, Any]) -> set[str]:
    """Return the fixtures behind these names, but nothing of what stands behind the door."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            if name not in _AT_THE_DOOR:
                waiting += [each for made in known.get(name, ())[-1:] for each in made.argnames]
    return reached


def _without_database(item: pytest.Item) -> str:
    spec = getattr(item, "callspec", None)
    kind: str | None = spec.params.get("database_url") if spec else None
    return item.nodeid.replace(kind, "") if kind else item.nodeid
