"""The room is there in the test environment, where it was switched on or stays on this machine; nowhere else."""

from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import insert

from gatepost import Gatepost, Settings
from gatepost.core.errors import Stopped
from gatepost.core.ids import new_id
from gatepost.testing.models import ClockRow, MailRow
from tests.cli.conftest import Command, command  # noqa: F401
from tests.cli.test_doctor import PRODUCTION, checks, only
from tests.conftest import make_settings, open_client

PATHS = ("/test/clock", "/test/mail")
CALLS = (("GET", "/test/clock"), ("POST", "/test/clock"), ("GET", "/test/mail"), ("DELETE", "/test/mail"))

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def statuses(client: AsyncClient) -> set[int]:
    return {(await client.request(method, path, json={"advance": 1})).status_code for method, path in CALLS}


def service(database_url: str, directory: Path, **changed: Any) -> Gatepost:
    return Gatepost(make_settings(database_url, directory, **{"run_worker": False, **changed}))


async def test_it_is_in_the_openapi_document_where_it_is_offered(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert set(PATHS) <= set(document["paths"])
    assert {204, 200} == await statuses(client)


@pytest.mark.parametrize(
    "changed",
    [
        {"test_api": False},
        {"test_api": None, "host": "0.0.0.0"},
        {"test_api": None, "host": "::"},
        {"test_api": None, "host": "192.0.2.1"},
        {"test_api": None, "public_url": "https://staging.example.com"},
        {"test_api": None, "trusted_proxies": ["10.0.0.0/8"]},
        {"test_api": None, "environment": "development"},
        {"test_api": False, "environment": "development"},
        {"test_api": None, "environment": "production", "public_url": "https://localhost", "docs": True},
    ],
    ids=str,
)
async def test_elsewhere_it_is_not_there(database_url: str, tmp_path: Path, changed: dict[str, Any]) -> None:
    gatepost = service(database_url, tmp_path, **changed)
    assert gatepost.testing is None
    assert not hasattr(gatepost.clock, "shift")
    async with gatepost.lifespan(), open_client(gatepost, headers={"Host": "localhost"}) as client:
        assert await statuses(client) == {404}
        document = (await client.get("/openapi.json")).json()
        assert not [path for path in document["paths"] if path.startswith("/test")]


async def test_where_it_is_not_offered_a_moved_clock_counts_for_nothing(
    database_url: str, tmp_path: Path
) -> None:
    gatepost = service(database_url, tmp_path)
    moved = {"id": 1, "moves": 1, "ahead_microseconds": 10**15, "skipped_microseconds": 10**15}
    async with gatepost.database.write() as transaction:
        await transaction.execute(insert(ClockRow).values(moved))
    async with gatepost.lifespan(), gatepost.work() as work:
        assert abs((work.now - service(database_url, tmp_path).clock.now()).total_seconds()) < 60


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
async def test_not_set_it_is_there_for_this_machine(database_url: str, tmp_path: Path, host: str) -> None:
    gatepost = service(database_url, tmp_path, test_api=None, host=host)
    async with gatepost.lifespan(), open_client(gatepost) as client:
        assert await statuses(client) == {200, 204}


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (("192.0.2.7", 5000), {}),
        (("172.17.0.1", 5000), {}),
        (("", 0), {}),
        (("127.0.0.1", 5000), {"X-Forwarded-For": "192.0.2.7"}),
        (("127.0.0.1", 5000), {"Forwarded": "for=192.0.2.7"}),
        (("127.0.0.1", 5000), {"X-Real-IP": "192.0.2.7"}),
    ],
    ids=str,
)
@pytest.mark.parametrize(("test_api", "answers"), [(None, {404}), (True, {200, 204})])
async def test_others_reach_it_only_where_an_operator_has_switched_it_on(
    database_url: str,
    tmp_path: Path,
    peer: tuple[str, int],
    headers: dict[str, str],
    test_api: bool | None,
    answers: set[int],
) -> None:
    """A server that a host starts may listen on any address: the settings do not know."""
    gatepost = service(database_url, tmp_path, test_api=test_api)
    transport = ASGITransport(app=gatepost.app, client=peer)
    async with (
        gatepost.lifespan(),
        AsyncClient(transport=transport, base_url="http://gatepost.test", headers=headers) as client,
    ):
        assert await statuses(client) == answers


@pytest.mark.parametrize("environment", ["development", "production"])
def test_switched_on_elsewhere_it_does_not_start(database_url: str, tmp_path: Path, environment: Any) -> None:
    settings = make_settings(
        database_url, tmp_path, environment=environment, test_api=True, public_url="https://auth.example.com"
    )
    with pytest.raises(
        Stopped, match=r"GATEPOST_TEST_API is on in .* Mend it: export GATEPOST_TEST_API=false"
    ):
        Gatepost(settings)


# --- the doctor ---------------------------------------------------------------------------------------------


def test_the_doctor_says_so(command: Command) -> None:  # noqa: F811
    here = only(command("doctor", "--json"), "test api")
    assert (here["level"], here["mend"]) == ("warning", "export GATEPOST_TEST_API=false")
    assert here["says"].startswith("Whoever is on this machine moves its clock")
    everywhere = only(command("doctor", "--json", GATEPOST_TEST_API="true"), "test api")
    assert everywhere["says"].startswith("Whoever reaches this service moves its clock")
    assert checks(command("doctor", "--json", GATEPOST_TEST_API="false"), "test api") == []


def test_in_production_the_doctor_calls_it_a_danger(command: Command) -> None:  # noqa: F811
    said = command("doctor", "--json", **PRODUCTION, GATEPOST_TEST_API="true")
    assert said.code == 1
    assert only(said, "settings")["mend"] == "export GATEPOST_TEST_API=false"
    assert checks(said, "test api") == []


async def test_the_doctor_finds_what_tests_have_left(
    settings: Settings,
    command: Command,  # noqa: F811
) -> None:
    gatepost = Gatepost(settings)
    assert checks(command("doctor", "--json", **PRODUCTION), "test data") == []
    mail = {"recipient": "a@b.c", "recipient_canonical": "a@b.c", "subject": "", "text": ""}
    row = {**mail, "id": new_id(), "sent_at": gatepost.clock.now()}
    async with gatepost.database.write() as transaction:
        await transaction.execute(insert(MailRow).values(row))
    found = only(command("doctor", "--json", **PRODUCTION), "test data")
    assert (found["level"], found["says"]) == (
        "warning",
        "Tests have used this database: they left mail in it.",
    )
    async with gatepost.lifespan(), open_client(gatepost) as client:
        await client.post("/test/clock", json={"advance": 1})
    found = only(command("doctor", "--json", **PRODUCTION), "test data")
    assert "moved the clock, so times in it may lie in the future and left mail in it." in found["says"]
    assert checks(command("doctor", "--json"), "test data") == []
