"""Told to stop while requests come in: whoever stands behind the proxy notices nothing."""

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.make import PASSWORD
from tests.processes import Server, free_port, start
from tests.proxies import Proxy, haproxy
from tests.races.conftest import ISSUER, empty_database

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

ROUNDS = 20
STREAMS = 16
SLOW_SECONDS = 20.0


class Pair:
    """Two services on one database, each of which can be started again where it was."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self._directory = directory
        self._settings = {
            **ISSUER,
            "GATEPOST_DATABASE_URL": database_url,
            "GATEPOST_DRAIN_SECONDS": "1.5",
            "GATEPOST_RATE_LIMITS": "off",
            "GATEPOST_REQUEST_TIMEOUT": "90",  # a third of it for the body
            "GATEPOST_LOG_LEVEL": "warning",
            "GATEPOST_ALLOWED_HOSTS": "127.0.0.1",
        }
        self.ports = [free_port(), free_port()]
        self.servers = [self.start(0), self.start(1)]

    def start(self, index: int) -> Server:
        return start(self._directory, self._settings, "--workers", "2", port=self.ports[index])

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


@contextmanager
def pair_behind_proxy(directory: Path) -> Generator[tuple[Pair, Proxy]]:
    with empty_database("postgresql", directory) as url:
        pair = Pair(directory, url)
        try:
            with haproxy(directory, pair.ports) as proxy:
                yield pair, proxy
        finally:
            pair.stop()


async def ask_for_ever(proxy: Proxy, said: Counter[str], stream: int) -> None:
    """Ask over a kept connection, changes and reads by turns."""
    async with httpx2.AsyncClient(base_url=proxy.url, timeout=30) as client:
        for number in itertools.count():
            try:
                if number % 10 == 0:
                    account = {"email": f"s{stream}-{number}-{id(said)}@example.com", "password": PASSWORD}
                    answer = await client.post("/users/", json=account)
                else:
                    answer = await client.get("/health")
                said[str(answer.status_code)] += 1
            except httpx2.TransportError as error:
                said[type(error).__name__] += 1


@asynccontextmanager
async def load(proxy: Proxy) -> AsyncGenerator[Counter[str]]:
    said: Counter[str] = Counter()
    streams = [asyncio.create_task(ask_for_ever(proxy, said, number)) for number in range(STREAMS)]
    try:
        yield said
    finally:
        for stream in streams:
            stream.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*streams)


async def test_f21_twenty_stops_under_load_lose_no_request(tmp_path: Path) -> None:
    with pair_behind_proxy(tmp_path) as (pair, proxy):
        async with load(proxy) as said:
            for number in range(ROUNDS):
                await more_answers(said)
                code = await asyncio.to_thread(pair.servers[number % 2].stop)
                assert code == 0
                pair.servers[number % 2] = await asyncio.to_thread(pair.start, number % 2)
                await more_answers(said)
        sys.stdout.write(f"answers by status: {dict(said)}\n")
        assert set(said) == {"200"}


async def more_answers(said: Counter[str]) -> None:
    # As long as the proxy takes to take a server back, and some: it is at its first good check.
    wanted = said.total() + 500
    while said.total() < wanted:  # noqa: ASYNC110  what is waited for is a number
        await asyncio.sleep(0.1)


async def test_f21_a_request_that_takes_twenty_seconds_is_finished(tmp_path: Path) -> None:
    with pair_behind_proxy(tmp_path) as (pair, proxy):
        body = b'{"email": "slow@example.com", "password": "' + PASSWORD.encode() + b'"}'
        address = urlsplit(pair.servers[0].url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(
            b"POST /users/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        async with load(proxy) as said:
            stopping = None
            for position in range(len(body)):
                writer.write(body[position : position + 1])
                await writer.drain()
                await asyncio.sleep(SLOW_SECONDS / len(body))
                stopping = stopping or asyncio.create_task(asyncio.to_thread(pair.servers[0].stop))
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert b"connection: close" in head.lower()
        assert stopping is not None
        assert await stopping == 0
        assert set(said) == {"200"}
        writer.close()
