"""Emergency revocation, by a command beside two services: both refuse what the key signed, and sign with another."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import jwt
import pytest

from tests.make import PASSWORD
from tests.own_redis import OwnRedis
from tests.processes import Server, run, serving
from tests.races.conftest import ISSUER, Pair
from tests.running_redis import running_redis

_BOUND = 5.0

type Revoking = Callable[[str], Awaitable[None]]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    async with running_redis(tmp_path) as running:
        yield running


@asynccontextmanager
async def doors(*servers: Server) -> AsyncGenerator[list[httpx2.AsyncClient]]:
    """Open a client of each service, to be used again and again."""
    async with AsyncExitStack() as stack:
        clients = [httpx2.AsyncClient(base_url=server.url, timeout=20) for server in servers]
        yield [await stack.enter_async_context(client) for client in clients]


async def sign_up(door: httpx2.AsyncClient, name: str) -> str:
    """Return the address of somebody new."""
    email = f"{name}@example.com"
    answer = await door.post("/users/", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return email


async def token_of(door: httpx2.AsyncClient, email: str) -> str:
    answer = await door.post("/users/token", data={"username": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def status(door: httpx2.AsyncClient, token: str) -> int:
    return (await door.get("/users/me", headers={"Authorization": f"Bearer {token}"})).status_code


async def revoke(directory: Path, url: str, kid: str, **more: str) -> None:
    settings = {**ISSUER, "GATEPOST_DATABASE_URL": url, **more}
    said = await asyncio.to_thread(
        run, directory, "keys", "revoke", kid, "--yes", "--json", settings=settings
    )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["changed"] is True


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


async def refused_soon(door: httpx2.AsyncClient, token: str) -> None:
    """Ask until the token is refused: nobody is let in who asks later than the bound."""
    since = time.monotonic()
    while True:
        asked = time.monotonic() - since
        answered = await status(door, token)
        if answered == 401:
            return
        assert (answered, asked < _BOUND) == (200, True)
        await asyncio.sleep(0.05)


async def in_an_emergency(both: list[httpx2.AsyncClient], name: str, revoking: Revoking) -> None:
    """Revoke the key that signs while both services are used; see both refuse its tokens, and sign again at once."""
    email = await sign_up(both[0], name)
    old = [await token_of(door, email) for door in both]
    (kid,) = set(map(kid_of, old))
    for door in both:
        assert [await status(door, token) for token in old] == [200, 200]

    await revoking(kid)
    await asyncio.gather(*(refused_soon(door, token) for door in both for token in old))

    new = [await token_of(door, email) for door in both]
    assert len(set(map(kid_of, new))) == 1
    assert kid not in map(kid_of, new)
    for door in both:
        assert [await status(door, token) for token in new] == [200, 200]
        assert [await status(door, token) for token in old] == [401, 401]


async def test_c15_without_any_message_both_services_refuse_a_revoked_key_within_5_seconds(
    pair: Pair, tmp_path: Path
) -> None:
    async with doors(*pair.both) as both:
        await in_an_emergency(both, "silent", lambda kid: revoke(tmp_path, pair.database_url, kid))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_c15_where_the_bus_works_it_is_at_once_and_where_it_hangs_within_5_seconds(
    database_url: str, redis: OwnRedis, tmp_path: Path
) -> None:
    shared = {**ISSUER, "GATEPOST_DATABASE_URL": database_url, "GATEPOST_REDIS_URL": redis.url}
    for name in ("here", "there", "command"):
        (tmp_path / name).mkdir()
    with (
        serving(tmp_path / "here", shared) as one,
        serving(tmp_path / "there", shared) as other,
    ):
        async with doors(one, other) as both:
            token = await token_of(both[0], await sign_up(both[0], "told"))

            async def at_once(kid: str) -> None:
                await revoke(tmp_path / "command", database_url, kid, GATEPOST_REDIS_URL=redis.url)
                assert [await status(door, token) for door in both] == [401, 401]

            async def in_silence(kid: str) -> None:
                redis.tell(signal.SIGSTOP)
                await revoke(tmp_path / "command", database_url, kid, GATEPOST_REDIS_URL=redis.url)

            await in_an_emergency(both, "loud", at_once)
            await in_an_emergency(both, "lost", in_silence)
        redis.tell(signal.SIGCONT)
