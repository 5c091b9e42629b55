"""Metrics: who may read them, what they count, and that nobody can make them grow without end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.core.events import Consumer, RecordedEvent
from gatepost.users import UserRegistered
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make

TOKEN = "q8Wm2Lx7Tz4Rv9Yb1Nc6Jd3Hf5Gs0Kp2"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def gatepost(database_url: str, tmp_path: Path, clock: MovableClock) -> AsyncIterator[Gatepost]:
    """A service that counts, and delivers to nobody who answers."""

    async def never(_event: RecordedEvent) -> None:
        raise OSError

    settings = make_settings(database_url, tmp_path, metrics_token=TOKEN, run_worker=False)
    consumers = [Consumer("crm", {UserRegistered}, never)]
    service = Gatepost(settings, clock=clock, consumers=consumers)
    async with service.lifespan():
        yield service


class Figures(dict[str, float]):
    """What the metrics say: each sample under its name and labels, as it is written. What is not there is 0."""

    def __missing__(self, _name: str) -> float:
        return 0.0


async def figures(client: AsyncClient) -> Figures:
    answer = await client.get("/metrics", headers=OPERATOR)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return Figures({name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)})


def requests(route: str, method: str, status: str) -> str:
    labels = f'{{method="{method}",route="{route}",status="{status}"}}'
    return f"gatepost_http_request_duration_seconds_count{labels}"


async def test_l05_without_a_setting_there_are_no_metrics(database_url: str, tmp_path: Path) -> None:
    service = Gatepost(make_settings(database_url, tmp_path))
    async with service.lifespan(), open_client(service) as client:
        answer = await client.get("/metrics", headers=OPERATOR)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert service.metrics is None


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN} x", "Bearer é"])
async def test_l05_without_the_token_nobody_reads_them(client: AsyncClient, header: str | None) -> None:
    headers = [(b"authorization", header.encode())] if header else []
    answer = await client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert "gatepost_" not in answer.text
    assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]


async def test_requests_are_counted_by_the_template_of_their_route(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for number in range(3):
        await client.get(f"/users/{number}", headers=me.headers)
    await client.get("/users/me", headers=me.headers)
    await client.get("/health")
    found = await figures(client)
    assert found[requests("/users/{user_id}", "GET", "4xx")] == 3
    assert found[requests("/users/me", "GET", "2xx")] == 1
    assert found[requests("/users/token", "POST", "2xx")] == 1
    assert found[requests("/health", "GET", "2xx")] == 1
    # The one that asks.
    assert found["gatepost_http_requests_in_flight"] == 1


async def test_a_stranger_cannot_make_them_grow(client: AsyncClient) -> None:
    before = len(await figures(client))
    for number in range(50):
        await client.request(f"BREW{number}", f"/users/{number}?x={number}")
        await client.get(f"/nothing/{number}")
        await client.get("/users/me", headers={"Host": f"h{number}.example", "User-Agent": str(number)})
    found = await figures(client)
    assert found[requests("unmatched", "GET", "4xx")] == 50
    assert found[requests("/users/{user_id}", "other", "4xx")] == 50
    series = {name for name in found if "_bucket" not in name and "_created" not in name}
    assert len(series) - before < 20


async def test_sign_ins_are_counted_by_method_and_result(client: AsyncClient, make: Make) -> None:
    await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
    await make.sign_in("ada@example.com", PASSWORD)
    await make.sign_in("ada@example.com", "wrong-lighthouse-42")
    await make.sign_in("nobody@example.com", PASSWORD)
    found = await figures(client)
    counted = {
        result: found[f'gatepost_sign_ins_total{{method="password",result="{result}"}}']
        for result in ("success", "wrong_password", "unknown_account")
    }
    assert counted == {"success": 1, "wrong_password": 1, "unknown_account": 1}
    assert found['gatepost_hashing_total{result="computed"}'] == 4
    assert found["gatepost_hashing_queue"] == 0


async def test_what_is_remembered_what_is_refused_and_what_is_late_is_told(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    for _ in range(3):
        await client.get("/users/me", headers=me.headers)
    gatepost.limits.refused["credentials"] += 2
    clock.move(timedelta(seconds=90))
    found = await figures(client)
    assert found['gatepost_cache_total{cache="callers",result="hit"}'] == 2
    assert found['gatepost_cache_total{cache="callers",result="miss"}'] == 1
    assert found['gatepost_limits_refused_total{limit="credentials"}'] == 2
    assert found['gatepost_outbox_due{lane="default"}'] == 1
    assert found['gatepost_outbox_lag_seconds{lane="default"}'] == 90
    assert found['gatepost_database_connections_limit{pool="changes"}'] == 1
    # Asked again, totals stay totals.
    assert (await figures(client))['gatepost_limits_refused_total{limit="credentials"}'] == 2


async def test_a_full_hashing_queue_is_told(client: AsyncClient, gatepost: Gatepost) -> None:
    gatepost.hashing.refused += 3
    found = await figures(client)
    assert found['gatepost_hashing_total{result="refused"}'] == 3


async def test_two_gateposts_in_one_process_count_apart(
    gatepost: Gatepost, client: AsyncClient, database_url: str, tmp_path: Path
) -> None:
    other = Gatepost(make_settings(database_url, tmp_path, metrics_token=TOKEN, run_worker=False))
    async with other.lifespan(), open_client(other) as others:
        await asyncio.gather(*(others.get("/health") for _ in range(5)))
        await client.get("/health")
        assert (await figures(client))[requests("/health", "GET", "2xx")] == 1
        assert (await figures(others))[requests("/health", "GET", "2xx")] == 5
