"""Two processes, asked at once about one session: reuse, sign-out, new passwords. 50 rounds in `make soak`."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

import httpx2
import jwt
import pytest
from sqlalchemy import text

from tests.ledger import opened
from tests.make import PASSWORD
from tests.processes import serving
from tests.races.conftest import ISSUER, Pair
from tests.races.connections import at_once, sign_in

# Two here, the rest of fifty in `make soak`.
rounds = pytest.mark.parametrize(
    "round_", [0, 1, *(pytest.param(number, marks=pytest.mark.soak) for number in range(2, 50))]
)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def impatient(empty_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two services for which a refresh token that is shown again was stolen, however soon."""
    settings = {**ISSUER, "GATEPOST_DATABASE_URL": empty_url, "GATEPOST_TOKENS__REFRESH_GRACE": "PT0S"}
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(serving(tmp_path_factory.mktemp(name), settings)) for name in ("one", "other")
        )
        yield Pair(one, other, empty_url)


@dataclass(frozen=True)
class Life:
    """Somebody who has signed in."""

    email: str
    access: str
    refresh: str

    @property
    def session_id(self) -> UUID:
        return UUID(jwt.decode(self.access, options={"verify_signature": False})["sid"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


async def begun(pair: Pair) -> Life:
    email = f"rival{next(_numbers)}@example.com"
    async with httpx2.AsyncClient(base_url=pair.one.url) as client:
        await client.post("/users/", json={"email": email, "password": PASSWORD})
        answer = await client.post("/users/token", data={"username": email, "password": PASSWORD})
    body = answer.json()
    return Life(email, body["access_token"], body["refresh_token"])


def refreshed(url: str, token: str) -> "asyncio.Future[httpx2.Response]":
    return asyncio.ensure_future(_posted(url, token))


async def _posted(url: str, token: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return await client.post("/users/token", data=form)


async def happened(pair: Pair, kind: str, session_id: UUID) -> int:
    async with opened(pair.database_url) as database:
        rows = await database.reads.rows(text(f"SELECT data FROM events WHERE type = '{kind}'"))
    return sum(str(session_id) in str(row.data) for row in rows)


@rounds
async def test_d02_a_stolen_token_shown_20_times_at_once_ends_the_family_once(
    impatient: Pair, round_: int
) -> None:
    life = await begun(impatient)
    successor = (await refreshed(impatient.one.url, life.refresh)).json()["refresh_token"]

    form = {"grant_type": "refresh_token", "refresh_token": life.refresh}
    servers = itertools.islice(itertools.cycle(impatient.both), 20)
    answers = await at_once([sign_in(server.url, **form) for server in servers])

    assert {answer.status for answer in answers} == {400}
    assert await happened(impatient, "refresh_token.reused", life.session_id) == 1
    assert await happened(impatient, "session.ended", life.session_id) == 1
    last = await refreshed(impatient.other.url, successor)
    assert (last.status_code, last.json()["reason"]) == (400, "reuse_detected")


@rounds
async def test_d03_a_sign_out_against_refreshes_leaves_nothing_that_works(pair: Pair, round_: int) -> None:
    life = await begun(pair)

    async def sign_out() -> int:
        async with httpx2.AsyncClient(base_url=pair.other.url, headers=life.headers, timeout=60) as client:
            return (await client.post("/users/logout")).status_code

    turns = [refreshed(server.url, life.refresh) for server in (*pair.both, *pair.both)]
    out = asyncio.ensure_future(sign_out())
    answers = await asyncio.gather(*turns)
    assert await out == 204

    assert {answer.status_code for answer in answers} <= {200, 400}
    issued = [answer.json() for answer in answers if answer.status_code == 200]
    for token in {life.refresh, *(each["refresh_token"] for each in issued)}:
        assert (await refreshed(pair.one.url, token)).status_code == 400
    for token in {life.access, *(each["access_token"] for each in issued)}:
        for server in pair.both:
            bearer = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(base_url=server.url, headers=bearer) as client:
                assert (await client.get("/users/me")).status_code == 401


@rounds
async def test_d04_two_new_passwords_at_two_services_leave_one(pair: Pair, round_: int) -> None:
    life = await begun(pair)
    wanted = dict(zip(("harbour-umbrella-77", "velvet-compass-31"), pair.both, strict=True))

    async def change(url: str, password: str) -> int:
        body = {"password": password, "current_password": PASSWORD}
        async with httpx2.AsyncClient(base_url=url, headers=life.headers, timeout=60) as client:
            return (await client.patch("/users/me", json=body)).status_code

    statuses = await asyncio.gather(*(change(server.url, password) for password, server in wanted.items()))

    assert sorted(statuses) in ([200, 412], [200, 422])
    for password, status in zip(wanted, statuses, strict=True):
        async with httpx2.AsyncClient(base_url=pair.one.url, timeout=60) as client:
            answer = await client.post("/users/token", data={"username": life.email, "password": password})
        assert answer.status_code == (200 if status == 200 else 400)
