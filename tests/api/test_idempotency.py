"""`Idempotency-Key`: sent again with the same key, a creating call has one effect and one answer (fault F03)."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi import Response as Answer
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import LargeBinary, select, text

from gatepost import Gatepost, Settings, UserRegistered
from gatepost.accounts import Setup
from gatepost.core.clock import MovableClock
from gatepost.core.database import DatabaseUnavailable, Transaction
from gatepost.core.errors import TransactionConflict
from gatepost.core.events import EventRow
from gatepost.core.hashing import Hashing
from gatepost.core.http.deps import CallerHere
from gatepost.core.http.idempotency import OnceHere
from gatepost.core.idempotency import LEASE, Asked, IdempotencyKey, KeyReused
from gatepost.users import Users
from tests.conftest import SECRET, make_settings, open_client
from tests.make import PASSWORD, Make, SignedIn

ADA = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada Lovelace"}
DAY = timedelta(days=1)


async def sign_up(client: AsyncClient, key: str, body: Any = ADA) -> Response:
    return await client.post("/users/", json=body, headers={"Idempotency-Key": key})


async def registered(gatepost: Gatepost) -> int:
    rows = await gatepost.database.reads.rows(select(EventRow.id).where(EventRow.type == UserRegistered.type))
    return len(rows)


async def kept(gatepost: Gatepost) -> list[Any]:
    return list(await gatepost.database.reads.rows(select(IdempotencyKey).with_only_columns(*COLUMNS)))


COLUMNS = IdempotencyKey.__table__.columns


def assert_same(again: Response, first: Response) -> None:
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("etag", "content-type", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotency-replayed"] == "true"


def assert_refused(answer: Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


# ── the same again ───────────────────────────────────────────────────────────────────────────────


async def test_f03_the_same_request_again_has_the_same_answer_and_no_effect(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    first = await sign_up(client, "one")
    assert first.status_code == 200
    assert "idempotency-replayed" not in first.headers

    for _ in range(3):
        assert_same(await sign_up(client, "one"), first)

    assert await registered(gatepost) == 1


async def test_a_key_may_stand_in_quotes(client: AsyncClient) -> None:
    first = await sign_up(client, "8e03978e-40d5-43dd-bc93-6894a57f9324")

    assert_same(await sign_up(client, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'), first)


async def test_without_a_key_nothing_is_kept(gatepost: Gatepost, client: AsyncClient) -> None:
    assert (await client.post("/users/", json=ADA)).status_code == 200
    again = await client.post("/users/", json=ADA)

    assert_refused(again, 400, "email-taken")
    assert await kept(gatepost) == []


@pytest.mark.parametrize(
    "key", ["", '""', '"', 'a"b', "two words", '"two words"', "x" * 256, "t\tb", "caf\xe9"]
)
async def test_v4_1_4_a_key_that_is_none_is_refused(
    gatepost: Gatepost, client: AsyncClient, key: str
) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}

    answer = await client.post("/users/", json=ADA, headers=headers)

    assert_refused(answer, 422, "invalid")
    assert answer.json()["errors"][0]["field"] == "header.idempotency-key"
    assert await registered(gatepost) == 0


async def test_two_keys_are_refused(gatepost: Gatepost, client: AsyncClient) -> None:
    answer = await client.post(
        "/users/", json=ADA, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    )

    assert_refused(answer, 422, "invalid")
    assert await registered(gatepost) == 0


async def test_setting_up_can_be_sent_again_though_the_code_works_once(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    async with gatepost.work() as work:
        code = await gatepost.build(Setup, work).new_code()
    body, headers = {**ADA, "code": code}, {"Idempotency-Key": "setup"}

    first = await client.post("/setup", json=body, headers=headers)
    again = await client.post("/setup", json=body, headers=headers)

    assert first.status_code == 200, first.text
    assert_same(again, first)
    assert_refused(await client.post("/setup", json=body), 403, "setup-refused")


async def test_a_key_counts_for_one_route(gatepost: Gatepost, client: AsyncClient) -> None:
    assert (await sign_up(client, "one")).status_code == 200

    answer = await client.post("/setup", json={**ADA, "code": "x"}, headers={"Idempotency-Key": "one"})

    assert_refused(answer, 403, "setup-refused")


async def test_a_page_of_another_origin_may_send_a_key_and_see_what_came_of_it(
    settings: Settings, clock: MovableClock
) -> None:
    origin = "https://app.example.com"
    service = Gatepost(settings.model_copy(update={"cors_origins": [origin]}), clock=clock)
    async with service.lifespan(), open_client(service, headers={"Origin": origin}) as client:
        asking = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "idempotency-key",
        }
        assert (await client.options("/users/", headers=asking)).status_code == 200
        answer = await sign_up(client, "one")

    assert "Idempotency-Replayed" in answer.headers["access-control-expose-headers"]


# ── another request, and one in flight ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "other", [{"email": "eve@example.com"}, {"password": PASSWORD + "!"}, {"name": "Eve"}]
)
async def test_f03_another_body_with_the_same_key_is_refused(
    gatepost: Gatepost, client: AsyncClient, other: dict[str, str]
) -> None:
    await sign_up(client, "one")

    answer = await sign_up(client, "one", {**ADA, **other})

    assert_refused(answer, 422, "idempotency-key-reused")
    assert "Ada" not in answer.text
    assert await registered(gatepost) == 1


async def test_another_query_is_another_request(client: AsyncClient) -> None:
    await sign_up(client, "one")

    answer = await client.post("/users/?x=1", json=ADA, headers={"Idempotency-Key": "one"})

    assert_refused(answer, 422, "idempotency-key-reused")


@asynccontextmanager
async def hashing_stands_still(hashing: Hashing) -> AsyncGenerator[None]:
    """Keep every thread that hashes busy meanwhile."""
    let_go = threading.Event()
    threads = [hashing._pool.submit(let_go.wait) for _ in range(hashing.options.threads)]
    try:
        yield
    finally:
        let_go.set()
        for each in threads:
            await asyncio.wrap_future(each)


async def until_claimed(gatepost: Gatepost) -> None:
    while not await kept(gatepost):  # noqa: ASYNC110  the database tells nobody
        await asyncio.sleep(0.005)


async def test_f03_a_request_whose_first_is_in_flight_is_told_to_come_again(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    async with asyncio.timeout(30), hashing_stands_still(gatepost.hashing):
        first = asyncio.create_task(sign_up(client, "one"))
        await until_claimed(gatepost)

        second = await sign_up(client, "one")
        other = await sign_up(client, "one", {**ADA, "name": "Eve"})
        assert not first.done()

    assert_refused(second, 409, "idempotency-key-in-flight")
    assert second.headers["retry-after"] == "1"
    assert_refused(other, 422, "idempotency-key-reused")
    assert (await first).status_code == 200
    assert_same(await sign_up(client, "one"), await first)
    assert await registered(gatepost) == 1


# ── what fails leaves the key free ───────────────────────────────────────────────────────────────


async def test_a_refusal_is_not_kept_and_frees_the_key(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    await make.user(ADA["email"])
    assert_refused(await sign_up(client, "one"), 400, "email-taken")
    assert await kept(gatepost) == []

    assert (await sign_up(client, "one", {**ADA, "email": "eve@example.com"})).status_code == 200


async def test_what_is_no_sign_up_claims_no_key(gatepost: Gatepost, client: AsyncClient) -> None:
    assert (await sign_up(client, "one", {"email": "nobody"})).status_code == 422

    assert await kept(gatepost) == []


async def test_a_request_whose_client_goes_away_frees_the_key(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    async with asyncio.timeout(30), hashing_stands_still(gatepost.hashing):
        first = asyncio.create_task(sign_up(client, "one"))
        await until_claimed(gatepost)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

    # Giving the key back goes on when the request is gone.
    async with asyncio.timeout(30):
        while await kept(gatepost):  # noqa: ASYNC110  the database tells nobody
            await asyncio.sleep(0.01)
    assert (await sign_up(client, "one")).status_code == 200


async def test_a_request_that_the_database_undid_is_run_again_under_its_key(
    gatepost: Gatepost, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, undone = Transaction.commit, []

    async def conflict(transaction: Transaction) -> None:
        if transaction._session is not None and not undone:
            undone.append(transaction)
            raise TransactionConflict("40001")
        await commit(transaction)

    monkeypatch.setattr(Transaction, "commit", conflict)
    first = await sign_up(client, "one")

    assert (first.status_code, len(undone)) == (200, 1)
    assert_same(await sign_up(client, "one"), first)
    assert await registered(gatepost) == 1


async def test_f02_a_commit_whose_end_nobody_saw_is_answered_by_the_retry(
    gatepost: Gatepost, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Transaction.commit

    async def lose(transaction: Transaction) -> None:
        await commit(transaction)
        if transaction._session is not None:
            raise DatabaseUnavailable

    with monkeypatch.context() as lossy:
        lossy.setattr(Transaction, "commit", lose)
        assert_refused(await sign_up(client, "one"), 503, "database-unavailable")

    again = await sign_up(client, "one")

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json()["email"] == ADA["email"]
    assert await registered(gatepost) == 1


# ── the claim of one that died ───────────────────────────────────────────────────────────────────


async def left_behind(gatepost: Gatepost) -> None:
    """Claim the key of ADA's sign-up as a process does that dies before it has the effect."""
    content = b"/users/\n\n" + json.dumps(ADA, separators=(",", ":")).encode()
    await gatepost.idempotency.claim(Asked.of(None, "POST /users/", "one", content))


async def test_f02_a_claim_of_one_that_died_ends_with_its_lease(
    gatepost: Gatepost, client: AsyncClient, clock: MovableClock
) -> None:
    await left_behind(gatepost)
    clock.move(LEASE - timedelta(seconds=1))
    assert_refused(await sign_up(client, "one"), 409, "idempotency-key-in-flight")

    clock.move(timedelta(seconds=1))
    first = await sign_up(client, "one")

    assert first.status_code == 200
    assert_same(await sign_up(client, "one"), first)
    assert await registered(gatepost) == 1


async def test_one_that_comes_back_after_its_lease_has_no_effect(
    gatepost: Gatepost, client: AsyncClient, clock: MovableClock
) -> None:
    async with asyncio.timeout(30), hashing_stands_still(gatepost.hashing):
        slow = asyncio.create_task(sign_up(client, "one"))
        await until_claimed(gatepost)
        clock.move(LEASE)
        await left_behind(gatepost)

    assert_refused(await slow, 409, "idempotency-key-in-flight")
    assert await registered(gatepost) == 0
    assert len(await kept(gatepost)) == 1


# ── whose answer it is ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def things(gatepost: Gatepost) -> AsyncIterator[AsyncClient]:
    """A client of a route that creates for whoever is signed in, as none of ours does yet."""
    app = FastAPI()
    app.state.gatepost = gatepost

    @app.post("/things/{number}")
    async def create(me: CallerHere, once: OnceHere) -> Answer:
        return await once(Users, lambda users: users.profile(me.subject), lambda row: Answer(row.email, 201))

    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://things.test") as opened:
        yield opened


async def test_callers_do_not_see_each_others_answers(things: AsyncClient, make: Make) -> None:
    key = {"Idempotency-Key": "one"}
    ada, eve = [await make.signed_in() for _ in range(2)]

    firsts = [await things.post("/things/1", headers={**each.headers, **key}) for each in (ada, eve)]
    agains = [await things.post("/things/1", headers={**each.headers, **key}) for each in (ada, eve)]

    assert [(each.status_code, each.text) for each in firsts] == [
        (201, ada.person.email),
        (201, eve.person.email),
    ]
    assert ["idempotency-replayed" in each.headers for each in firsts] == [False, False]
    assert ["idempotency-replayed" in each.headers for each in agains] == [True, True]
    assert [each.text for each in agains] == [each.text for each in firsts]


async def test_a_key_counts_for_all_paths_of_a_route(things: AsyncClient, make: Make) -> None:
    headers = {**(await make.signed_in()).headers, "Idempotency-Key": "one"}
    assert (await things.post("/things/1", headers=headers)).status_code == 201

    with pytest.raises(KeyReused):
        await things.post("/things/2", headers=headers)


async def test_v14_2_7_an_answer_to_somebody_goes_with_them(
    gatepost: Gatepost, client: AsyncClient, things: AsyncClient, make: Make
) -> None:
    ada, eve = [await make.signed_in() for _ in range(2)]
    for each in (ada, eve):
        await things.post("/things/1", headers={**each.headers, "Idempotency-Key": "one"})

    assert (await client.delete("/users/me", headers=ada.headers)).status_code == 204

    assert [row.subject for row in await kept(gatepost)] == [eve.person.id]


async def test_v14_2_7_an_answer_goes_with_the_person_it_is_about(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    await sign_up(client, "one")
    await sign_up(client, "two", {**ADA, "email": "eve@example.com"})
    answer = await make.sign_in(ADA["email"], PASSWORD)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    assert (await client.delete("/users/me", headers=headers)).status_code == 204

    eve = (
        await client.post("/users/token", data={"username": "eve@example.com", "password": PASSWORD})
    ).json()
    profile = await client.get("/users/me", headers={"Authorization": f"Bearer {eve['access_token']}"})
    assert [str(row.subject) for row in await kept(gatepost)] == [profile.json()["id"]]
    again = await sign_up(client, "one")
    assert (again.status_code, "idempotency-replayed" in again.headers) == (200, False)


async def test_v14_2_7_an_administrators_deletion_takes_the_answer_along_too(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    user_id = (await sign_up(client, "one")).json()["id"]
    admin: SignedIn = await make.signed_in(await make.administrator())

    assert (await client.delete(f"/users/{user_id}", headers=admin.headers)).status_code == 204

    assert await kept(gatepost) == []


async def test_what_is_kept_says_nothing_without_the_secret_key(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    key = "a-key-that-can-be-recognised"
    await sign_up(client, key)

    (row,) = await kept(gatepost)
    bare = [getattr(row, column.name) for column in COLUMNS if isinstance(column.type, LargeBinary)]
    assert len(bare) == 3
    for value in bare:
        for secret in (key, ADA["email"], ADA["name"], PASSWORD):
            assert secret.encode() not in value


async def test_an_answer_outlives_a_change_of_the_secret_key(
    gatepost: Gatepost, client: AsyncClient, settings: Settings, tmp_path: Path, clock: MovableClock
) -> None:
    first = await sign_up(client, "one")
    url, other = settings.database_location, SECRET[::-1]
    rotated = make_settings(url, tmp_path, secret_key=other, previous_secret_keys=[SECRET])
    lost = make_settings(url, tmp_path, secret_key=other)

    for changed, status in ((rotated, 200), (lost, 422)):
        service = Gatepost(changed, clock=clock)
        async with open_client(service) as there:
            answer = await sign_up(there, "one")
        await service.database.close()
        assert answer.status_code == status

    assert first.status_code == 200


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_kept_for_a_day(
    gatepost: Gatepost, client: AsyncClient, clock: MovableClock
) -> None:
    first = await sign_up(client, "one")
    clock.move(DAY - timedelta(seconds=1))
    assert_same(await sign_up(client, "one"), first)

    clock.move(timedelta(seconds=1))

    # The key is free again, and so the request is a new one.
    assert_refused(await sign_up(client, "one"), 400, "email-taken")
    assert (await sign_up(client, "one", {**ADA, "email": "eve@example.com"})).status_code == 200


async def test_a_setting_says_how_long(settings: Settings, clock: MovableClock) -> None:
    service = Gatepost(settings.model_copy(update={"idempotency_seconds": 60}), clock=clock)
    async with service.lifespan(), open_client(service) as client:
        await sign_up(client, "one")
        clock.move(timedelta(seconds=60))
        assert_refused(await sign_up(client, "one"), 400, "email-taken")


async def test_a_key_that_was_cleaned_away_meanwhile_is_free(
    gatepost: Gatepost, client: AsyncClient, clock: MovableClock
) -> None:
    await left_behind(gatepost)
    clock.move(LEASE)
    assert (await gatepost.schedule.run_all())["idempotency-keys.expired"] == 1

    assert (await sign_up(client, "one")).status_code == 200


async def test_keys_that_cannot_be_looked_up_are_no_leave_to_act(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    await sign_up(client, "one")
    async with gatepost.database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE idempotency_keys"))

    answer = await sign_up(client, "two", {**ADA, "email": "eve@example.com"})

    assert answer.status_code in {500, 503}
    assert await registered(gatepost) == 1
