"""examples/microservice beside the service, both as real processes."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from httpx2 import AsyncClient

from tests.make import PASSWORD
from tests.processes import Server, environment, free_port, serving, start

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "examples" / "microservice" / "README.md"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


@asynccontextmanager
async def orders(directory: Path, issuer: str, **settings: str) -> AsyncGenerator[AsyncClient]:
    """Start the example by the commands of its README; yield a client of it."""
    block = re.search(r"```sh\n(.+?)```", README.read_text(), re.DOTALL)
    assert block
    port = free_port()
    commands = block[1].replace("http://127.0.0.1:8000", issuer).replace("8001", str(port))
    # It may be run by the Python of another environment than the one in the repository.
    commands = commands.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", commands),
        cwd=ROOT,
        env=environment(directory, settings),
        start_new_session=True,
    )
    try:
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            await answering(client, process)
            yield client
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def answering(client: AsyncClient, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            await client.get("/health")
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the example ended instead of serving")


def answered(service: Server) -> int:
    """Return how many requests the service has answered."""
    return len(re.findall(r"\] request .* path=/", service.said))


async def signed_in(issuer: str, email: str) -> dict[str, str]:
    async with AsyncClient(base_url=issuer, timeout=30) as client:
        await client.post("/users/", json={"email": email, "password": PASSWORD})
        answer = await client.post("/users/token", data={"username": email, "password": PASSWORD})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def sign_out(issuer: str, headers: dict[str, str]) -> None:
    async with AsyncClient(base_url=issuer, timeout=30) as client:
        assert (await client.post("/users/logout", headers=headers)).status_code == 204


async def refused(client: AsyncClient, headers: dict[str, str]) -> httpx2.Response:
    """Ask until the token is refused; return the answer."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get("/orders", headers=headers)
            if answer.status_code != 200:
                return answer
            await asyncio.sleep(0.02)


async def test_the_example_takes_the_services_tokens_and_asks_for_none_of_them(
    service: Server, tmp_path: Path
) -> None:
    async with orders(tmp_path, service.url) as client:
        ada, bob = await signed_in(service.url, "ada@example.com"), await signed_in(service.url, "bob@x.org")
        ordered = await client.post("/orders", json={"article": "lamp"}, headers=ada)
        before = answered(service)
        seconds = time.monotonic()
        for _ in range(300):
            assert (await client.get("/orders", headers=ada)).json() == [ordered.json()]
        seconds = time.monotonic() - seconds
        asked = answered(service) - before

        assert ordered.status_code == 201
        assert (await client.get("/orders", headers=bob)).json() == []
        # Its looks at the list, two seconds apart, whatever the number of requests.
        assert before >= 4
        assert asked <= seconds / 1.8 + 2
        assert "/users/me" not in service.said

        stranger = await client.get("/orders")
        beyond = await client.get("/reports", headers=ada)
        assert (stranger.status_code, stranger.json()["code"]) == (401, "token-missing")
        assert (beyond.status_code, beyond.json()["code"]) == (403, "scope-missing")


async def test_after_a_sign_out_the_example_refuses_the_token_within_five_seconds(
    service: Server, tmp_path: Path
) -> None:
    async with orders(tmp_path, service.url) as client:
        ada, bob = await signed_in(service.url, "ada@example.com"), await signed_in(service.url, "bob@x.org")
        assert (await client.get("/orders", headers=ada)).status_code == 200
        before = answered(service)

        await sign_out(service.url, ada)
        signed_out_at = time.monotonic()
        answer = await refused(client, ada)
        seconds = time.monotonic() - signed_out_at
        asked = answered(service) - before - 1

        assert (answer.status_code, answer.json()["code"]) == (401, "session-revoked")
        assert answer.headers["www-authenticate"] == 'Bearer realm="gatepost", error="invalid_token"'
        assert seconds < 5  # the promise itself; two seconds is what it takes
        assert asked <= 3
        assert (await client.get("/orders", headers=bob)).status_code == 200


async def test_the_example_goes_on_while_the_service_is_stopped(service: Server, tmp_path: Path) -> None:
    async with orders(tmp_path, service.url) as client:
        ada, bob = await signed_in(service.url, "ada@example.com"), await signed_in(service.url, "bob@x.org")
        await sign_out(service.url, bob)
        await refused(client, bob)

        service.stop()

        standing = (await client.get("/health")).json()
        async with asyncio.timeout(60):
            while (await client.get("/health")).json()["list_age"] < standing["list_age"] + 5:
                assert (await client.get("/orders", headers=ada)).status_code == 200
                assert (await client.get("/orders", headers=bob)).status_code == 401

        again = start(tmp_path, port=urlsplit(service.url).port)
        try:
            await sign_out(again.url, ada)
            assert (await refused(client, ada)).json()["code"] == "session-revoked"
        finally:
            again.stop()


async def test_a_token_for_another_service_is_refused_by_the_example(service: Server, tmp_path: Path) -> None:
    async with orders(tmp_path, service.url, ORDERS_AUDIENCE="https://orders.example.com") as client:
        ada = await signed_in(service.url, "ada@example.com")
        answer = await client.get("/orders", headers=ada)

    assert (answer.status_code, answer.json()["code"]) == (401, "audience-wrong")


async def test_started_before_the_service_the_example_waits_for_it(tmp_path: Path) -> None:
    port = free_port()
    async with orders(tmp_path, f"http://127.0.0.1:{port}") as client:
        early = await client.get("/orders", headers={"Authorization": "Bearer a.b.c"})
        assert early.status_code in {401, 503}
        server = start(tmp_path, port=port)
        try:
            ada = await signed_in(server.url, "ada@example.com")
            async with asyncio.timeout(60):
                while (await client.get("/orders", headers=ada)).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            server.stop()
