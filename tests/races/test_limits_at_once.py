"""Exactly the limit is admitted when many ask in one moment, over two processes that share a Redis."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack

import httpx2
import pytest

from tests.own_redis import OwnRedis
from tests.processes import Server, serving
from tests.races.connections import Request, at_once, sign_in
from tests.services import missing_reason

_numbers = itertools.count(1)


def new_email() -> str:
    return f"limited{next(_numbers)}@example.com"


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnRedis]:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    server = OwnRedis(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
async def pair(redis: OwnRedis, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Server]]:
    directory = tmp_path_factory.mktemp("database")
    settings = {
        "GATEPOST_PUBLIC_URL": "http://gatepost.test",
        "GATEPOST_DATABASE_URL": f"sqlite:///{directory / 'gatepost.db'}",
        "GATEPOST_REDIS_URL": redis.url,
        "GATEPOST_RATE_LIMITS": "on",
        "GATEPOST_LIMITS__GENERAL": "100000",
        "GATEPOST_SECRET_KEY": secrets.token_urlsafe(32),
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(tmp_path_factory.mktemp(name), settings)) for name in ("one", "other")
        ]


async def race(pair: Sequence[Server], email: str | None = None) -> Counter[int]:
    """Try 200 passwords in one moment, of one account or of many; return how they were answered."""
    requests: list[Request] = [
        sign_in(server.url, username=email or new_email(), password="not the password")
        for server in itertools.islice(itertools.cycle(pair), 200)
    ]
    answers = await at_once(requests)
    assert {answer.body["detail"] for answer in answers if answer.status == 429} == {"Rate limit exceeded"}
    return Counter(answer.status for answer in answers)


async def test_k04_f12_200_at_once_are_exactly_the_limit_with_redis_without_it_and_again_with_it(
    pair: list[Server], redis: OwnRedis
) -> None:
    assert await race(pair) == {400: 10, 429: 190}

    # It is gone: each process counts for itself, none lets everything through, none fails.
    redis.kill()
    assert await race(pair) == {400: 20, 429: 180}

    # It is back, and empty: they find it by themselves.
    await redis.start()
    async with httpx2.AsyncClient() as client, asyncio.timeout(30):
        while not all("limits.redis_back" in server.said for server in pair):
            for server in pair:
                assert (await client.get(f"{server.url}/users/me")).status_code == 401
            await asyncio.sleep(0.05)
    assert await race(pair) == {400: 10, 429: 190}
