"""Clients that connect and then take their time: everybody else is served meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.make import PASSWORD
from tests.processes import Server, serving

HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1"
BODY = (
    b"POST /users/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"email":'
)


@asynccontextmanager
async def connected(server: Server, count: int, said: bytes) -> AsyncGenerator[None]:
    """Hold so many connections meanwhile, on each of which something has been said and more is to come."""
    address = urlsplit(server.url)
    writers: list[asyncio.StreamWriter] = []
    for _ in range(count):
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(said)
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


async def answered(server: Server) -> int:
    # A connection of its own, which comes after all that are waiting already.
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as client:
        return (await client.get("/health")).status_code


@pytest.mark.parametrize("said", [HEAD, BODY], ids=["head", "body"])
async def test_f20_more_than_a_thousand_unfinished_requests_keep_nobody_out(
    tmp_path: Path, said: bytes
) -> None:
    with serving(tmp_path) as server:
        async with connected(server, 1200, said):
            assert await answered(server) == 200


async def test_f34_when_connections_have_taken_all_files_but_a_few_what_is_connected_is_served(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, before="ulimit -n 256") as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as first:
            assert (await first.get("/health")).status_code == 200
            async with connected(server, 300, HEAD):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await answered(server)
                account = {"email": "ada@example.com", "password": PASSWORD}
                assert (await first.post("/users/", json=account)).status_code == 200
        assert await answered(server) == 200
    assert "database_unavailable" not in server.said
