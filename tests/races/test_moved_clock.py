"""A clock that is moved through one process, and the time that the other tells in the very next request."""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client

from tests.make import PASSWORD
from tests.processes import run, serving
from tests.races.conftest import ISSUER, empty_database
from tests.services import REDIS_URL, missing_reason

ROUNDS = 20


@pytest.fixture(params=["sqlite", "postgresql", "postgresql and redis"], scope="module")
def surroundings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The settings of two services that tests may move."""
    kind, _, redis = request.param.partition(" and ")
    shared = {**ISSUER, "GATEPOST_ENVIRONMENT": "test", "GATEPOST_TEST_API": "true"}
    if redis:
        if reason := missing_reason("redis"):
            pytest.skip(reason)
        shared["GATEPOST_REDIS_URL"] = os.environ[REDIS_URL]
    with empty_database(kind, tmp_path_factory.mktemp("database")) as url:
        yield {**shared, "GATEPOST_DATABASE_URL": url}


@contextmanager
def clients(surroundings: dict[str, str], make: Any) -> Generator[tuple[Client, Client]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(make(name), surroundings)) for name in ("one", "other")]
        one, other = (stack.enter_context(Client(base_url=server.url)) for server in servers)
        yield one, other


@pytest.fixture(scope="module")
def two(
    surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Client]]:
    with clients(surroundings, tmp_path_factory.mktemp) as opened:
        yield opened


@pytest.fixture(autouse=True)
def in_the_present(two: tuple[Client, Client]) -> None:
    two[0].post("/test/clock", json={"reset": True}).raise_for_status()


def signed_in(client: Client, email: str) -> dict[str, str]:
    client.post("/users/", json={"email": email, "password": PASSWORD})
    answer = client.post("/users/token", data={"username": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refreshed(client: Client, token: str) -> int:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return client.post("/users/token", data=form).status_code


def told(client: Client) -> datetime:
    return datetime.fromisoformat(client.get("/test/clock").json()["now"])


def test_31_days_through_one_process_end_the_session_on_the_other(two: tuple[Client, Client]) -> None:
    for one, other in (two, two[::-1]):
        tokens = signed_in(one, "ada@example.com")
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        # The other has the caller in its memory where it may.
        assert [other.get("/users/me", headers=bearer).status_code for _ in range(3)] == [200] * 3

        moved = one.post("/test/clock", json={"advance": "P31D"}).json()

        assert other.get("/users/me", headers=bearer).status_code == 401
        assert refreshed(other, tokens["refresh_token"]) == 400
        assert told(other) >= datetime.fromisoformat(moved["now"]) > datetime.now(UTC) + timedelta(days=30)


def test_no_request_after_a_move_is_of_the_time_before(two: tuple[Client, Client]) -> None:
    one, other = two
    for _ in range(ROUNDS):
        tokens = signed_in(one, "eve@example.com")
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert other.get("/users/me", headers=bearer).status_code == 200
        moved = datetime.fromisoformat(one.post("/test/clock", json={"advance": "PT15M"}).json()["now"])
        assert other.get("/users/me", headers=bearer).status_code == 401
        assert told(other) >= moved
        # The session goes on, on either.
        assert refreshed(other, tokens["refresh_token"]) == 200


def test_a_reset_counts_for_both(two: tuple[Client, Client]) -> None:
    one, other = two
    other.post("/test/clock", json={"advance": "P31D"}).raise_for_status()
    one.post("/test/clock", json={"reset": True}).raise_for_status()
    for client in two:
        assert abs(told(client) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_service_that_starts_later_and_a_command_tell_the_moved_time(
    two: tuple[Client, Client], surroundings: dict[str, str], tmp_path: Path
) -> None:
    two[0].post("/test/clock", json={"advance": "P31D"}).raise_for_status()
    person = ("users", "create", "bob@example.com", "--password-stdin", "--json")
    said = run(tmp_path, *person, settings=surroundings, stdin=PASSWORD)
    assert said.returncode == 0, said.stderr
    with serving(tmp_path, surroundings) as third, Client(base_url=third.url) as client:
        assert told(client) > datetime.now(UTC) + timedelta(days=30)
        tokens = client.post(
            "/users/token", data={"username": "bob@example.com", "password": PASSWORD}
        ).json()
        me = client.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert datetime.fromisoformat(me["created_at"]) > datetime.now(UTC) + timedelta(days=30)
