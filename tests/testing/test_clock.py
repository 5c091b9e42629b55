"""Moving the clock over HTTP: everything that compares stored times goes by it, at once."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import select

from gatepost import Consumer, Gatepost, RecordedEvent, Settings, UserRegistered
from gatepost.core.clock import MovableClock, ShiftedClock
from gatepost.core.events import Delivery, EventRow
from gatepost.core.outbox import DONE
from gatepost.core.schedule import ScheduleRow
from gatepost.sessions import Session
from gatepost.testing import SharedClock
from gatepost.testing.models import ClockRow
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.processes import free_port
from tests.running_redis import until
from tests.services import REDIS_URL, missing_reason

DAY = 86_400
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def move(client: AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await client.post("/test/clock", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def now(client: AsyncClient) -> datetime:
    return datetime.fromisoformat((await client.get("/test/clock")).json()["now"])


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON)


# --- moving -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", ["P31D", 31 * DAY, 31.0 * DAY])
async def test_the_clock_moves_by_a_duration_or_by_seconds(client: AsyncClient, days: Any) -> None:
    said = await move(client, advance=days)
    assert said == {"now": "2030-02-01T12:00:00Z", "ahead_seconds": 31 * DAY}
    assert (await client.get("/test/clock")).json() == said


async def test_it_moves_to_a_time_and_goes_on_running(client: AsyncClient, clock: MovableClock) -> None:
    said = await move(client, at="2031-01-01T02:00:00+02:00")
    assert said["now"] == "2031-01-01T00:00:00Z"
    clock.move(timedelta(minutes=5))
    assert await now(client) == datetime(2031, 1, 1, 0, 5, tzinfo=UTC)


async def test_moves_add_up_and_a_reset_ends_them(client: AsyncClient) -> None:
    await move(client, advance="PT1H")
    await move(client, advance="PT0.5S")
    assert (await move(client, advance=30))["ahead_seconds"] == 3630.5
    assert await move(client, reset=True) == {"now": "2030-01-01T12:00:00Z", "ahead_seconds": 0}
    assert (await move(client, advance=1))["ahead_seconds"] == 1


async def test_the_time_never_goes_back_but_by_a_reset(client: AsyncClient, clock: MovableClock) -> None:
    await move(client, advance="P1D")
    back = await client.post("/test/clock", json={"at": "2030-01-02T11:59:59Z"})
    assert (back.status_code, back.json()["code"]) == (409, "clock-set-back")
    assert (await move(client, at="2030-01-02T12:00:00Z"))["ahead_seconds"] == DAY

    await move(client, reset=True)
    before_it_was_ever_moved = await client.post("/test/clock", json={"at": "2029-12-31T00:00:00Z"})
    assert before_it_was_ever_moved.status_code == 409


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"reset": False},
        {"advance": "P1D", "reset": True},
        {"advance": "P1D", "at": "2031-01-01T00:00:00Z"},
        {"advance": 0},
        {"advance": -1},
        {"advance": "-P1D"},
        {"advance": "a day"},
        {"advance": 1e300},
        {"advance": True},
        {"advance": [1]},
        {"at": 1893456000},
        {"at": "2031-01-01T00:00:00"},
        {"at": "tomorrow"},
        {"by": 1},
    ],
    ids=str,
)
async def test_what_is_no_move_is_refused(client: AsyncClient, wanted: dict[str, Any]) -> None:
    answer = await client.post("/test/clock", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert await now(client) == NOON


@pytest.mark.parametrize("wanted", [{"advance": "P36526D"}, {"at": "2130-02-01T00:00:00Z"}], ids=str)
async def test_nobody_goes_further_than_a_century(client: AsyncClient, wanted: dict[str, Any]) -> None:
    answer = await client.post("/test/clock", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "clock-too-far")
    await move(client, advance="P36525D")
    assert (await client.post("/test/clock", json={"advance": 1})).status_code == 422


async def test_of_moves_at_once_each_counts(client: AsyncClient, gatepost: Gatepost) -> None:
    answers = await asyncio.gather(*(client.post("/test/clock", json={"advance": 60}) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert await now(client) == NOON + timedelta(minutes=12)
    row = await gatepost.database.reads.first(select(ClockRow.moves))
    assert row is not None
    assert row.moves == 12


async def test_a_move_is_an_event_with_where_it_came_from(client: AsyncClient, gatepost: Gatepost) -> None:
    answer = await client.post("/test/clock", json={"advance": "PT1H"})
    row = await gatepost.database.reads.first(
        select(EventRow.data, EventRow.request_id, EventRow.address).where(EventRow.type == "clock.moved")
    )
    assert row is not None
    assert row.data == {"ahead_seconds": 3600}
    assert (row.request_id, row.address) == (answer.headers["X-Request-ID"], "127.0.0.1")


# --- what goes by it ----------------------------------------------------------------------------------------


async def test_tokens_and_sessions_expire(client: AsyncClient, make: Make) -> None:
    ada = await make.signed_in()
    assert (await client.get("/users/me", headers=ada.headers)).status_code == 200
    await move(client, advance="PT16M")
    assert (await client.get("/users/me", headers=ada.headers)).status_code == 401
    renewed = (await make.refresh(ada.refresh_token)).json()
    await move(client, advance="P31D")
    assert (await make.refresh(renewed["refresh_token"])).status_code == 400
    # Who signs in now has a session of the new time.
    later = await make.signed_in(ada.person)
    assert (await client.get("/users/me", headers=later.headers)).status_code == 200


async def test_what_is_made_bears_the_moved_time(client: AsyncClient, make: Make) -> None:
    await move(client, advance="P31D")
    ada = await make.signed_in()
    me = (await client.get("/users/me", headers=ada.headers)).json()
    assert me["created_at"] == "2030-02-01T12:00:00Z"


async def test_a_host_and_a_command_tell_the_moved_time(
    client: AsyncClient, gatepost: Gatepost, settings: Settings
) -> None:
    other = Gatepost(settings, clock=MovableClock(NOON))
    await move(client, advance="P31D")
    async with other.work() as work:
        assert work.now == NOON + timedelta(days=31)
    await other.database.close()


class Held:
    """A reader whose answers arrive late."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.has_read, self.let_go = asyncio.Event(), asyncio.Event()

    async def first(self, statement: Any) -> Any:
        row = await self._reader.first(statement)
        self.has_read.set()
        await self.let_go.wait()
        return row


async def test_a_read_that_was_slow_does_not_undo_a_later_move(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    slow: Any = Held(gatepost.database.reads)
    forgotten: list[int] = []
    clock = SharedClock(ShiftedClock(MovableClock(NOON)), slow, lambda: forgotten.append(1))
    await move(client, advance="P1D")
    late = asyncio.create_task(clock.follow())
    await slow.has_read.wait()
    await move(client, advance="P1D")
    clock._read = gatepost.database.reads
    await clock.follow()
    slow.let_go.set()
    await late
    assert clock.shifted.now() == NOON + timedelta(days=2)
    await clock.follow()
    assert len(forgotten) == 1  # what has not moved is not forgotten


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_while_the_database_is_away_the_time_stays_and_probes_are_answered(settings: Settings) -> None:
    away = f"postgresql://nobody:nothing@127.0.0.1:{free_port()}/none"
    service = Gatepost(
        settings.model_copy(update={"database_url": SecretStr(away)}), clock=MovableClock(NOON)
    )
    assert service.testing is not None
    service.testing.clock.shifted.shift(timedelta(days=1), timedelta(days=1))
    async with open_client(service) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert await now(client) == NOON + timedelta(days=1)
    await service.database.close()


# --- the worker ---------------------------------------------------------------------------------------------

Start = Callable[..., Any]


@pytest.fixture
async def start(settings: Settings, clock: MovableClock) -> AsyncIterator[Start]:
    """Starts a service with a worker, and lets it finish its work in the end."""
    async with AsyncExitStack() as stack:

        async def started(*consumers: Consumer) -> tuple[Gatepost, AsyncClient]:
            working = settings.model_copy(update={"run_worker": True})
            service = Gatepost(working, clock=clock, consumers=consumers)
            await stack.enter_async_context(service.lifespan())
            stack.push_async_callback(until, lambda: service.schedule.seconds_to_next > 0, 30)
            return service, await stack.enter_async_context(open_client(service))

        yield started


async def until_read(gatepost: Gatepost, column: Any, condition: Callable[[list[Any]], bool]) -> None:
    """Wait until the database says so."""
    async with asyncio.timeout(30):
        while not condition([row[0] for row in await gatepost.database.reads.rows(select(column))]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_falls_due_by_a_move_is_done_at_once(start: Start) -> None:
    """A delivery that failed waits for its next try; a move of the clock takes the waiting away."""
    again, tries = asyncio.Event(), 0

    async def tell(_event: RecordedEvent) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError
        again.set()

    gatepost, client = await start(Consumer("crm", {UserRegistered}, tell))
    await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
    await until_read(gatepost, Delivery.last_error, lambda found: found == ["ConnectionError"])
    assert not again.is_set()

    await move(client, advance="PT1H")

    async with asyncio.timeout(4):  # less than the worker's own pause
        await again.wait()
    await until_read(gatepost, Delivery.state, lambda found: found == [DONE])


async def test_clean_up_takes_place_by_the_moved_time(start: Start) -> None:
    gatepost, client = await start()
    await Make(gatepost, client).signed_in()
    await move(client, advance="P61D")
    await until_read(gatepost, Session.id, lambda found: not found)


async def test_after_a_reset_jobs_do_not_wait_for_the_future(start: Start) -> None:
    gatepost, client = await start()
    await move(client, advance="P365D")
    far = NOON + timedelta(days=365)
    await until_read(gatepost, ScheduleRow.due_at, lambda found: bool(found) and min(found) > far)
    await move(client, reset=True)
    await until_read(gatepost, ScheduleRow.due_at, lambda found: max(found) < NOON + timedelta(days=1))


# --- limits -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["process", "redis"])
async def limited(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[AsyncClient]:
    """A client of a service that counts."""
    redis_url = None
    if request.param == "redis":
        if reason := missing_reason("redis"):
            pytest.skip(reason)
        redis_url = os.environ[REDIS_URL]
    settings = make_settings(
        database_url,
        tmp_path,
        test_api=True,
        run_worker=False,
        rate_limits="on",
        redis_url=redis_url,
        secret_key=os.urandom(32).hex(),
    )
    service = Gatepost(settings)
    async with service.lifespan(), open_client(service) as client:
        yield client


async def guess(client: AsyncClient) -> Response:
    return await client.post("/users/token", data={"username": "ada@example.com", "password": "wrong"})


async def used_up(client: AsyncClient) -> Response:
    for _ in range(40):
        answer = await guess(client)
        if answer.status_code == 429:
            return answer
    raise AssertionError("nothing was limited")


async def test_limits_go_by_the_moved_clock(limited: AsyncClient) -> None:
    refused = await used_up(limited)
    wait = int(refused.headers["Retry-After"])
    assert 1 < wait <= 60
    await move(limited, advance=wait)
    assert (await guess(limited)).status_code == 400
    assert (await guess(limited)).status_code == 429
    await move(limited, advance="P31D")
    assert [(await guess(limited)).status_code for _ in range(10)] == [400] * 10
    assert (await guess(limited)).status_code == 429


async def test_after_a_reset_nobody_waits_for_what_happened_in_the_future(limited: AsyncClient) -> None:
    await move(limited, advance="P31D")
    await used_up(limited)
    await move(limited, reset=True)
    assert [(await guess(limited)).status_code for _ in range(10)] == [400] * 10
    assert (await guess(limited)).status_code == 429
