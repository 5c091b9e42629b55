"""OWASP ASVS 5.0, chapters 14 and 16: what is told of people, where it may be kept, and what is written down."""

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventRow
from gatepost.core.logging import make_logger
from gatepost.login import LoginFailed
from tests.conftest import open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.security.doors import Hall, disable
from tests.security.operations import no_database_matters, operations


@pytest.fixture
def output() -> io.StringIO:
    """What the service writes to its log."""
    return io.StringIO()


@pytest.fixture
async def gatepost(settings: Settings, clock: MovableClock, output: io.StringIO) -> AsyncIterator[Gatepost]:
    service = Gatepost(settings, clock=clock, log=make_logger("json", "debug", stream=output))
    async with service.lifespan():
        yield service


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


async def recorded(gatepost: Gatepost, kind: str | None = None) -> list[Any]:
    """Return the events, oldest first."""
    rows = await gatepost.database.reads.rows(select(EventRow.__table__).order_by(EventRow.id))
    return [row for row in rows if kind in {None, row.type}]


# ── 14: data ─────────────────────────────────────────────────────────────────────────────────────────


@no_database_matters
async def test_v14_2_1_no_operation_takes_a_secret_or_an_address_of_a_person_in_its_path(
    client: AsyncClient,
) -> None:
    for operation in await operations(client):
        taken = {parameter["name"] for parameter in operation.parameters if parameter["in"] != "header"}
        assert not taken & {"password", "token", "code", "secret", "access_token", "refresh_token"}, operation
        assert "{email" not in operation.path


@no_database_matters
async def test_v14_2_1_a_token_in_the_query_lets_nobody_in(make: Make, client: AsyncClient) -> None:
    me = await make.signed_in()
    answer = await client.get("/users/me", params={"access_token": me.access_token})
    assert answer.status_code == 401


@no_database_matters
async def test_v14_3_2_nothing_personal_may_be_stored_on_the_way(hall: Hall) -> None:
    me = await hall.make.signed_in(await hall.make.administrator())
    for operation in await operations(hall.client):
        answer = await operation.call(hall.client, headers=me.headers, user_id=me.person.id)
        if operation.path.startswith("/.well-known/") or operation.path == "/sessions/revoked":
            continue
        assert answer.headers["cache-control"] == "no-store", operation


@no_database_matters
@pytest.mark.parametrize(
    "path",
    [
        "/users/me/x.css",
        "/users/me.css",
        "/users/me;.js",
        "/users/me%2f..%2fme",
        "/users/me%00",
        "/users/me/",
    ],
)
async def test_v14_2_5_a_path_that_looks_like_a_file_never_answers_with_a_person(
    make: Make, client: AsyncClient, path: str
) -> None:
    me = await make.signed_in()
    answer = await client.get(path, headers=me.headers)

    assert answer.status_code in {404, 422}
    assert me.person.email not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@no_database_matters
@pytest.mark.parametrize("buster", ["?x=1", "?utm_source=mail", "?cb=1&cb=2"])
async def test_v14_2_2_a_cache_between_us_and_people_is_told_to_keep_nothing(
    make: Make, client: AsyncClient, buster: str
) -> None:
    me = await make.signed_in()
    answer = await client.get(f"/users/me{buster}", headers=me.headers)

    assert answer.headers["cache-control"] == "no-store"


async def test_v14_2_4_what_signs_and_what_refreshes_is_unreadable_in_the_database(
    gatepost: Gatepost, make: Make
) -> None:
    me = await make.signed_in()
    tables = ["signing_keys", "refresh_families", "passwords", "sessions", "users"]
    dump = ""
    for table in tables:
        rows = await gatepost.database.reads.rows(text(f"SELECT * FROM {table}"))
        dump += str([tuple(row) for row in rows])
    assert me.person.email in dump
    for secret in (me.refresh_token, me.access_token, PASSWORD, "PRIVATE KEY", '"d":'):
        assert secret not in dump


@no_database_matters
async def test_v14_2_6_others_are_told_no_more_than_the_profile(make: Make, client: AsyncClient) -> None:
    person, administrator = await make.user(), await make.signed_in(await make.administrator())
    answer = await client.get(f"/users/{person.id}", headers=administrator.headers)

    assert answer.status_code == 200
    assert not {name for name in answer.json() if "hash" in name or "password" in name or "canonical" in name}


# ── 16: what is written down ─────────────────────────────────────────────────────────────────────────


async def test_v16_2_1_an_event_says_when_who_whom_whence_and_in_which_request(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    administrator, person = await make.signed_in(await make.administrator()), await make.user()
    headers = {**administrator.headers, "User-Agent": "asvs/1", "X-Request-ID": "asvs-request-1"}
    await client.patch(f"/users/{person.id}", json={"name": "Ada"}, headers=headers)

    (event,) = await recorded(gatepost, "user.changed")
    assert event.subject == person.id
    assert event.actor == administrator.person.id
    assert event.address == "127.0.0.1"
    assert event.user_agent == "asvs/1"
    assert event.request_id == "asvs-request-1"
    assert event.at == gatepost.clock.now()


async def test_v16_2_2_events_are_in_utc_and_in_order(
    gatepost: Gatepost, make: Make, clock: MovableClock
) -> None:
    for _ in range(3):
        await make.signed_in()
        clock.move(timedelta(seconds=1))
    events = await recorded(gatepost)

    assert all(event.at.utcoffset() == timedelta(0) for event in events)
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert len({event.id for event in events}) == len(events)


@no_database_matters
async def test_v16_2_2_log_lines_say_their_time_in_utc(client: AsyncClient, output: io.StringIO) -> None:
    await client.get("/users/me")
    assert all(line["timestamp"].endswith("Z") for line in lines(output))


async def test_v16_3_1_every_end_of_a_sign_in_is_written_down_with_its_method(hall: Hall) -> None:
    person, gone = await hall.make.user(), await hall.make.user()
    await hall.make.signed_in(person)
    await hall.make.sign_in(person.email, "not the password")
    await hall.make.sign_in("nobody@example.com", "not the password")
    await disable(hall, gone)
    await hall.make.sign_in(gone.email, PASSWORD)

    failed = await recorded(hall.gatepost, LoginFailed.type)
    assert [event.data["reason"] for event in failed] == ["wrong_password", "unknown_account", "disabled"]
    assert {event.data["method"] for event in failed} == {"password"}
    started = await recorded(hall.gatepost, "session.started")
    assert person.id in {event.subject for event in started}


@no_database_matters
async def test_v16_3_1_the_end_of_a_session_is_written_down(
    gatepost: Gatepost, make: Make, client: AsyncClient
) -> None:
    me = await make.signed_in()
    await client.post("/users/logout", headers=me.headers)
    assert [event.subject for event in await recorded(gatepost, "session.ended")] == [me.person.id]


@no_database_matters
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/users/", "permission-missing"),
        ("GET", "/users/00000000-0000-7000-8000-000000000000", "permission-missing"),
        ("DELETE", "/users/00000000-0000-7000-8000-000000000000", "permission-missing"),
    ],
)
async def test_v16_3_2_who_asks_for_what_they_may_not_is_written_down(
    make: Make, client: AsyncClient, output: io.StringIO, method: str, path: str, code: str
) -> None:
    me = await make.signed_in()
    answer = await client.request(method, path, headers=me.headers)

    assert answer.json()["code"] == code
    (line,) = access_lines(output, answer)
    assert (line["problem"], line["subject"]) == (code, str(me.person.id))


def access_lines(output: io.StringIO, answer: Response) -> list[dict[str, Any]]:
    request_id = answer.headers["x-request-id"]
    return [line for line in lines(output) if line["event"] == "request" and line["request_id"] == request_id]


async def tampered(me: SignedIn, make: Make, client: AsyncClient) -> Response:
    head, payload, signature = me.access_token.split(".")
    broken = ".".join((head, payload, signature[::-1]))
    return await client.get("/users/me", headers={"Authorization": f"Bearer {broken}"})


async def reused(me: SignedIn, make: Make, client: AsyncClient) -> Response:
    await make.refresh(me.refresh_token)
    return await make.reuse(me.refresh_token)


@no_database_matters
@pytest.mark.parametrize("attempt", [tampered, reused])
async def test_v16_3_3_attempts_to_get_round_a_check_are_written_down(
    make: Make, client: AsyncClient, output: io.StringIO, attempt: Any
) -> None:
    answer = await attempt(await make.signed_in(), make, client)

    assert answer.status_code in {400, 401}
    assert [line["problem"] for line in access_lines(output, answer)] == [answer.json()["code"]]


@no_database_matters
async def test_v16_5_1_a_crash_is_one_line_with_the_requests_id_and_says_nothing_outside(
    gatepost: Gatepost, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise RuntimeError("SELECT * FROM users -- /srv/gatepost/secret.py")

    monkeypatch.setattr(gatepost, "caller", crash)
    async with open_client(gatepost) as client:
        answer = await client.get("/users/me", headers={"Authorization": "Bearer x"})

    assert answer.status_code == 500
    assert "SELECT" not in answer.text
    assert "srv" not in answer.text
    crashed = [line for line in lines(output) if line["event"] == "request.crashed"]
    assert [line["request_id"] for line in crashed] == [answer.headers["x-request-id"]]


@no_database_matters
async def test_v16_5_4_it_survives_crash_after_crash(
    gatepost: Gatepost, client: AsyncClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await make.signed_in()
    with monkeypatch.context() as broken:

        async def crash(*_: Any) -> None:
            raise ZeroDivisionError

        broken.setattr(gatepost, "caller", crash)
        for _ in range(300):
            assert (await client.get("/users/me", headers=me.headers)).status_code == 500

    assert (await client.get("/users/me", headers=me.headers)).status_code == 200
