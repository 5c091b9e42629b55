"""Attack K14: more passwords than can be hashed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from tests.conftest import make_settings
from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem

QUEUE = 4


@pytest.fixture
def settings(database_url: str, settings: Settings) -> Settings:
    hashing = {"memory_kib": 64, "iterations": 1, "threads": 1, "queue": QUEUE}
    return make_settings(database_url, settings.data_dir, hashing=hashing)


@pytest.fixture
async def flooded(gatepost: Gatepost, make: Make) -> AsyncIterator[dict[str, str]]:
    """Every place before the hashing thread is taken; somebody had signed in before. Yields their header."""
    me = await make.signed_in()
    turns, end = gatepost.hashing._turns, asyncio.Event()

    async def stay(source: str) -> None:
        async with turns.taken(0, source):
            await end.wait()

    stays = [asyncio.ensure_future(stay(str(number))) for number in range(1 + QUEUE)]
    while gatepost.hashing.queued < QUEUE:  # noqa: ASYNC110  a turn of the loop, not a time
        await asyncio.sleep(0)
    yield {**me.headers, "refresh": me.refresh_token}
    end.set()
    await asyncio.gather(*stays)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/token", {"data": {"username": "ada@example.com", "password": PASSWORD}}),
        ("POST", "/users/", {"json": {"email": "ada@example.com", "password": PASSWORD}}),
        ("PATCH", "/users/me", {"json": {"password": "another-lighthouse-43", "current_password": PASSWORD}}),
    ],
    ids=["sign-in", "sign-up", "change of password"],
)
async def test_k14_who_finds_no_room_is_told_so_at_once(
    client: AsyncClient, flooded: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    headers = {} if path != "/users/me" else {"Authorization": flooded["Authorization"]}
    answer = await client.request(method, path, headers=headers, **body)

    assert_problem(answer, 503)
    assert answer.json()["code"] == "hashing-busy"
    assert int(answer.headers["retry-after"]) >= 1


async def test_k14_a_refusal_does_not_ask_the_database(
    gatepost: Gatepost, client: AsyncClient, flooded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(gatepost.database, "reads", None)
        without.setattr(gatepost.database, "engine", None)
        form = {"username": "ada@example.com", "password": PASSWORD}
        answer = await client.post("/users/token", data=form)

    assert_problem(answer, 503)


class TestWithLimits:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"rate_limits": "on"})

    async def test_k14_a_refusal_costs_no_tries(
        self, client: AsyncClient, flooded: dict[str, str], settings: Settings
    ) -> None:
        """Else a flood would use up the tries of those who then come in peace."""
        form = {"username": "ada@example.com", "password": PASSWORD}
        tries = settings.limits.credentials + 5
        assert {(await client.post("/users/token", data=form)).status_code for _ in range(tries)} == {503}


async def test_k14_what_needs_no_hash_goes_on(client: AsyncClient, flooded: dict[str, str]) -> None:
    own = {"Authorization": flooded["Authorization"]}
    assert (await client.get("/users/me", headers=own)).status_code == 200
    form = {"grant_type": "refresh_token", "refresh_token": flooded["refresh"]}
    assert (await client.post("/users/token", data=form)).status_code == 200
    assert (await client.get("/.well-known/jwks.json")).status_code == 200
    assert (await client.get("/health")).status_code == 200
