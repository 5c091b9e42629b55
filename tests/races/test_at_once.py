"""Many requests in the same moment, over several processes on one database: the database decides."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx2
import jwt
import pytest
from sqlalchemy import select, text

from gatepost.core.database import Database
from gatepost.sessions import Session
from gatepost.tokens import RefreshFamily
from tests.make import PASSWORD
from tests.processes import Server, serving
from tests.races.conftest import Pair
from tests.races.connections import Answer, Request, at_once, hold, sign_in, sign_up

_numbers = itertools.count(1)


def new_email() -> str:
    return f"racer{next(_numbers)}@example.com"


async def count(database_url: str, condition: str) -> int:
    database = Database(database_url)
    row = await database.reads.first(text(f"SELECT count(*) FROM {condition}"))
    await database.close()
    assert row is not None
    return row[0]


def summary(answers: list[Answer]) -> Counter[tuple[int, str | None]]:
    return Counter((answer.status, answer.body.get("detail")) for answer in answers)


ONE_GETS_IT = Counter({(200, None): 1, (400, "Email already registered"): 49})


@pytest.fixture(scope="module")
def two_workers(empty_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("workers")
    with serving(directory, {"GATEPOST_DATABASE_URL": empty_url}, "--workers", "2") as server:
        yield server


async def test_50_sign_ups_at_once_make_one_account_with_two_workers(
    two_workers: Server, empty_url: str
) -> None:
    email = new_email()

    answers = await at_once([sign_up(two_workers.url, email, PASSWORD)] * 50)

    assert summary(answers) == ONE_GETS_IT
    assert await count(empty_url, f"users WHERE email_canonical = '{email}'") == 1


async def test_50_sign_ups_at_once_make_one_account_with_two_processes(pair: Pair) -> None:
    email = new_email()
    spellings = [email, email.replace("racer", "Racer"), email.upper().replace("EXAMPLE.COM", "example.com")]

    racers = zip(range(50), itertools.cycle(pair.both), itertools.cycle(spellings), strict=False)
    answers = await at_once([sign_up(server.url, spelling, PASSWORD) for _, server, spelling in racers])

    assert summary(answers) == ONE_GETS_IT
    assert await count(pair.database_url, f"users WHERE email_canonical = '{email}'") == 1


async def signed_in(server: Server) -> dict[str, str]:
    email = new_email()
    async with httpx2.AsyncClient(base_url=server.url) as client:
        await client.post("/users/", json={"email": email, "password": PASSWORD})
        answer = await client.post("/users/token", data={"username": email, "password": PASSWORD})
    return answer.json()


async def me(server: Server, token: str) -> int:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


# Fifty rounds in `make soak`.
@pytest.mark.parametrize(
    "round_", [0, 1, *(pytest.param(number, marks=pytest.mark.soak) for number in range(2, 50))]
)
async def test_d01_a_refresh_token_shown_50_times_at_once_has_one_successor(pair: Pair, round_: int) -> None:
    signed = await signed_in(pair.one)
    form = {"grant_type": "refresh_token", "refresh_token": signed["refresh_token"]}

    servers = itertools.islice(itertools.cycle(pair.both), 50)
    answers = await at_once([sign_in(server.url, **form) for server in servers])

    # Tabs and lost answers: whoever shows it in time gets the one successor, and nobody is signed out.
    assert {answer.status for answer in answers} == {200}
    (successor,) = {answer.body["refresh_token"] for answer in answers}
    assert [await me(server, answers[-1].body["access_token"]) for server in pair.both] == [200, 200]
    again = await at_once([sign_in(pair.one.url, **{**form, "refresh_token": successor})])
    assert again[0].status == 200
    session_id = UUID(jwt.decode(signed["access_token"], options={"verify_signature": False})["sid"])
    database = Database(pair.database_url)
    row = await database.reads.first(
        select(RefreshFamily.generation, Session.ended_at)
        .join(Session, Session.id == RefreshFamily.session_id)
        .where(Session.id == session_id)
    )
    await database.close()
    # Once for all fifty, and once for the successor.
    assert row is not None
    assert tuple(row) == (3, None)


async def test_an_answered_change_is_seen_by_the_next_request_to_the_other_process(pair: Pair) -> None:
    signed = await signed_in(pair.one)
    headers = {"Authorization": f"Bearer {signed['access_token']}"}
    async with (
        httpx2.AsyncClient(base_url=pair.one.url, headers=headers) as one,
        httpx2.AsyncClient(base_url=pair.other.url, headers=headers) as other,
    ):
        seen = []
        for number, (writer, reader) in zip(
            range(50), itertools.cycle([(one, other), (other, one)]), strict=False
        ):
            changed = await writer.patch("/users/me", json={"name": f"name {number}"})
            assert changed.status_code == 200
            seen.append((await reader.get("/users/me")).json()["name"])

    assert seen == [f"name {number}" for number in range(50)]


async def test_a_sign_out_in_one_process_counts_in_the_other_at_once(pair: Pair) -> None:
    for one, other in (pair.both, reversed(pair.both)):
        signed = await signed_in(one)
        assert await me(other, signed["access_token"]) == 200
        headers = {"Authorization": f"Bearer {signed['access_token']}"}
        async with httpx2.AsyncClient(base_url=one.url, headers=headers) as client:
            assert (await client.post("/users/logout")).status_code == 204
        assert await me(other, signed["access_token"]) == 401


async def test_health_answers_while_20_sign_ins_are_in_flight(tmp_path: Path) -> None:
    # The hashes of a real installation, one at a time, so that most of them have to wait.
    costs = {"GATEPOST_HASHING__MEMORY_KIB": "", "GATEPOST_HASHING__ITERATIONS": ""}
    settings = {**costs, "GATEPOST_HASHING__THREADS": "1"}
    with serving(tmp_path, settings) as server:
        stranger = sign_in(server.url, username=new_email(), password=PASSWORD)
        held = await asyncio.gather(*(hold(stranger) for _ in range(20)))
        for each in held:
            each.let_go()
        signing_in = [asyncio.create_task(each.answer()) for each in held]

        (healthy,) = await at_once([Request(server.url, "GET", "/health")])

        waiting = [task for task in signing_in if not task.done()]
        assert (healthy.status, healthy.body) == (200, {"status": "healthy"})
        assert waiting
        assert {answer.status for answer in await asyncio.gather(*signing_in)} == {400}
