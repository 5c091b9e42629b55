"""The health paths: what everybody may know, and what operators may."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.conftest import make_settings, open_client
from tests.processes import free_port

TOKEN = "q8Wm2Lx7Tz4Rv9Yb1Nc6Jd3Hf5Gs0Kp2"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}

ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def watched(database_url: str, tmp_path: Path) -> AsyncIterator[Gatepost]:
    """A service whose operators have a token."""
    service = Gatepost(make_settings(database_url, tmp_path, metrics_token=TOKEN))
    async with service.lifespan():
        yield service


async def test_health_and_liveness_are_answered_without_any_dependency(gatepost: Gatepost) -> None:
    await gatepost.database.close()
    async with open_client(gatepost) as client:
        for path in ("/health", "/health/live"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_v13_4_5_the_public_learns_whether_it_is_ready_and_nothing_else(client: AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_v13_4_5_the_public_does_not_learn_why_it_is_not(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    await wrong_schema(gatepost)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert "schema" not in answer.text
    assert int(answer.headers["retry-after"]) >= 1


async def wrong_schema(gatepost: Gatepost) -> None:
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE gatepost_version SET version_num = '9999'")


async def test_operators_learn_what_each_dependency_says(watched: Gatepost) -> None:
    async with open_client(watched) as client:
        answer = await client.get("/health/ready", headers=OPERATOR)
        assert answer.json() == {
            "status": "healthy",
            "checks": {"database": "ok", "schema": "ok", "hashing_queue": 0},
        }


async def test_operators_learn_why_it_is_not_ready(watched: Gatepost) -> None:
    await wrong_schema(watched)
    async with open_client(watched) as client:
        answer = await client.get("/health/ready", headers=OPERATOR)
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "schema": "schema-mismatch", "hashing_queue": 0}


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    "header", ["Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ", "Bearer ü"]
)
async def test_v13_4_5_whoever_has_another_token_is_the_public(watched: Gatepost, header: str) -> None:
    async with open_client(watched) as client:
        answer = await client.get("/health/ready", headers=[(b"authorization", header.encode())])
    assert answer.json() == {"status": "healthy"}


@ON_ONE_DATABASE
async def test_without_redis_it_is_ready_and_degraded(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(
        database_url,
        tmp_path,
        metrics_token=TOKEN,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        log_level="error",
    )
    service = Gatepost(settings)
    async with service.lifespan(), open_client(service) as client:
        public = await client.get("/health/ready")
        detailed = await client.get("/health/ready", headers=OPERATOR)
    assert (public.status_code, public.json()) == (200, {"status": "healthy"})
    assert (detailed.status_code, detailed.json()["status"]) == (200, "degraded")
    assert detailed.json()["checks"]["redis"] == "unreachable"


async def test_while_draining_it_is_not_ready_and_serves_on(gatepost: Gatepost, client: AsyncClient) -> None:
    gatepost.draining = True
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f01_a_database_that_hangs_is_told_within_a_second(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    async with gatepost.database.engine.begin() as blocker:
        # The read of the schema's version waits for this lock, as it would for a server that hangs.
        await blocker.exec_driver_sql("LOCK TABLE gatepost_version IN ACCESS EXCLUSIVE MODE")
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))
        assert asyncio.get_running_loop().time() - began < 1.5
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "not-ready")}
        waiting = await blocker.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'gatepost_version'::regclass"
        )
        assert waiting.scalar() == 1


async def read(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask the operators' port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *lines = head.decode().split("\r\n")
    headers: dict[str, Any] = dict(line.casefold().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


@ON_ONE_DATABASE
async def test_the_operators_port_tells_all_and_nothing_else_is_there(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    service = Gatepost(make_settings(database_url, tmp_path, metrics_port=port))
    async with service.lifespan(), open_client(service) as client:
        status, headers, body = await read(port, "/health/ready?x=1")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert b'"schema":"ok"' in body
        assert (await read(port, "/health/live"))[0] == 200
        status, headers, body = await read(port, "/metrics")
        assert (status, headers["connection"]) == (200, "close")
        assert b'gatepost_outbox_due{lane="mail"} 0.0' in body
        assert (await read(port, "/users/me"))[0] == 404
        assert (await read(port, "/metrics", "POST"))[0] == 405
        assert (await client.get("/metrics")).status_code == 404
        service.draining = True
        status, _, body = await read(port, "/health/ready")
        assert (status, body) == (503, b'{"status": "draining"}')


@ON_ONE_DATABASE
async def test_the_operators_port_is_not_held_up_by_who_says_nothing_or_too_much(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    service = Gatepost(make_settings(database_url, tmp_path, metrics_port=port))
    async with service.lifespan():
        silent, silents_writer = await asyncio.open_connection("127.0.0.1", port)
        loud, louds_writer = await asyncio.open_connection("127.0.0.1", port)
        louds_writer.write(b"GET /" + b"x" * 100_000)
        assert await loud.read() == b""
        assert (await read(port, "/health/live"))[0] == 200
        silents_writer.close()
        assert await silent.read() == b""
        louds_writer.close()
