"""The keys of a service: one signs, whoever starts; what others change is known soon; nobody else reads them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.tokens import KeyState, SigningKey, SigningKeys, SigningKeyUnopened, TokenInvalid
from gatepost.tokens.events import SIGNING_KEYS
from tests.conftest import SECRET, make_settings, open_client
from tests.make import Make, SignedIn
from tests.running_redis import running_redis, until

OTHER_SECRET = "u6eAs4fPg8dJm5cHn2bXy7rLw9qTv3kZ"
ALGORITHMS = pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Start = Callable[..., Awaitable[Gatepost]]


class Ticks:
    """The time by which a service's keys grow old; it stands still until moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
async def start(settings: Settings, clock: MovableClock, ticks: Ticks) -> AsyncIterator[Start]:
    """Start another service on this database, with some settings changed."""
    async with AsyncExitStack() as stack:

        async def one(**changed: Any) -> Gatepost:
            wanted = make_settings(settings.database_location, settings.data_dir, **changed)
            service = Gatepost(wanted, clock=clock)
            service.keys._monotonic = ticks
            await stack.enter_async_context(service.lifespan())
            return service

        yield one


async def keys_of(gatepost: Gatepost) -> list[tuple[str, KeyState]]:
    listed = await gatepost.build(SigningKeys, gatepost.reading()).listed()
    return [(key.algorithm, key.state) for key in listed]


async def switch(gatepost: Gatepost) -> str:
    """Let another key sign at once."""
    key, _ = await gatepost.run(lambda work: gatepost.build(SigningKeys, work).switch())
    return key.kid


async def revoke(gatepost: Gatepost, kid: str) -> None:
    await gatepost.run(lambda work: gatepost.build(SigningKeys, work).revoke(kid))


async def status(gatepost: Gatepost, me: SignedIn) -> int:
    async with open_client(gatepost) as client:
        return (await client.get("/users/me", headers=me.headers)).status_code


async def signed_in(gatepost: Gatepost) -> SignedIn:
    async with open_client(gatepost) as client:
        return await Make(gatepost, client).signed_in()


async def published(gatepost: Gatepost) -> list[dict[str, Any]]:
    async with open_client(gatepost) as client:
        return (await client.get("/.well-known/jwks.json")).json()["keys"]


# ── one key, whoever starts ──────────────────────────────────────────────────────────────────────


async def test_services_that_start_at_once_agree_on_one_key(start: Start) -> None:
    services = await asyncio.gather(*(start() for _ in range(4)))

    kids = {(await service.keys.signing()).kid for service in services}
    assert len(kids) == 1
    assert await keys_of(services[0]) == [("ES256", KeyState.SIGNING)]


@ALGORITHMS
@ON_ONE_DATABASE
async def test_each_algorithm_signs_what_is_verified_here_and_elsewhere(start: Start, algorithm: str) -> None:
    one, other = await start(tokens={"algorithm": algorithm}), await start(tokens={"algorithm": algorithm})
    me = await signed_in(one)

    assert await status(one, me) == await status(other, me) == 200
    (key,) = await published(one)
    assert (key["alg"], key["use"], "d" in key) == (algorithm, "sig", False)


@ON_ONE_DATABASE
async def test_v11_2_3_an_rsa_key_has_more_than_2048_bits(start: Start) -> None:
    service = await start(tokens={"algorithm": "RS256"})
    key: Any = (await service.keys.signing()).jwk
    assert key.private_key.key_size >= 2048


async def test_the_private_half_is_never_stored_in_clear(gatepost: Gatepost) -> None:
    rows = await gatepost.database.reads.rows(select(SigningKey.private_sealed, SigningKey.public_jwk))

    for row in rows:
        assert b'"d"' not in row.private_sealed
        assert "d" not in row.public_jwk


# ── what others change ───────────────────────────────────────────────────────────────────────────


async def test_a_process_learns_keys_that_another_made(start: Start, ticks: Ticks) -> None:
    before, after = await start(), await start()
    kid = await switch(after)
    me = await signed_in(after)

    # It has just read the keys, so a stranger's key ids do not make it ask again.
    ticks.move(0.9)
    assert await status(before, me) == 401
    assert len(await published(before)) == 1
    ticks.move(0.2)
    assert await status(before, me) == 200
    assert len(await published(before)) == 2
    assert (await before.keys.signing()).kid == kid


async def test_keys_that_are_a_little_old_are_used_while_newer_ones_are_read(
    start: Start, ticks: Ticks
) -> None:
    here, there = await start(), await start()
    me = await signed_in(here)
    assert await status(here, me) == 200
    await revoke(there, (await there.keys.signing()).kid)

    assert await status(here, me) == 200
    ticks.move(1.1)
    while await status(here, me) == 200:  # noqa: ASYNC110  the read goes on between the requests
        await asyncio.sleep(0)

    assert await status(here, me) == 401


async def test_keys_that_are_too_old_are_used_by_nobody(start: Start, ticks: Ticks) -> None:
    here, there = await start(), await start()
    me = await signed_in(here)
    assert await status(here, me) == 200
    kid = (await there.keys.signing()).kid
    await revoke(there, kid)
    ticks.move(3.1)

    statuses = await asyncio.gather(*(status(here, me) for _ in range(5)))

    assert set(statuses) == {401}
    assert (await here.keys.signing()).kid != kid


@ON_POSTGRESQL
async def test_a_process_that_cannot_read_the_keys_for_long_trusts_none(start: Start, ticks: Ticks) -> None:
    service = await start(database={"lock_timeout": 0.1})
    me = await signed_in(service)

    async with service.database.engine.begin() as blocking:
        await blocking.execute(text("LOCK TABLE signing_keys"))
        ticks.move(2.9)
        assert await status(service, me) == 200
        ticks.move(0.2)
        assert [await status(service, me) for _ in range(2)] == [503, 503]

    assert await status(service, me) == 200


@ON_POSTGRESQL
async def test_a_key_id_that_cannot_be_looked_for_is_no_reason_to_say_401(start: Start, ticks: Ticks) -> None:
    before, after = await start(database={"lock_timeout": 0.1}), await start()
    await switch(after)
    me = await signed_in(after)
    ticks.move(1.1)

    async with after.database.engine.begin() as blocking:
        await blocking.execute(text("LOCK TABLE signing_keys"))
        assert await status(before, me) == 503

    assert await status(before, me) == 200


@ON_POSTGRESQL
async def test_those_who_ask_at_once_share_one_read(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = await start()
    me = await signed_in(service)
    asked: list[Any] = []
    rows = service.database.reads.rows

    async def counted(statement: Any, parameters: Any = None) -> Any:
        asked.append(statement)
        return await rows(statement, parameters)

    monkeypatch.setattr(service.database.reads, "rows", counted)
    service.keys.forget_all()

    await asyncio.gather(*(service.access_tokens.verify(me.access_token) for _ in range(50)))

    assert len(asked) == 1


@ON_POSTGRESQL
async def test_what_is_told_during_a_read_is_read_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, other = await start(), await start()
    me = await signed_in(service)
    rows = service.database.reads.rows
    read, told = asyncio.Event(), asyncio.Event()

    async def held_up(statement: Any, parameters: Any = None) -> Any:
        found = await rows(statement, parameters)
        read.set()
        await told.wait()
        return found

    monkeypatch.setattr(service.database.reads, "rows", held_up)
    service.keys.forget_all()
    answer = asyncio.ensure_future(service.access_tokens.verify(me.access_token))
    await read.wait()
    await revoke(other, (await other.keys.signing()).kid)
    service.keys.forget([SIGNING_KEYS])
    told.set()

    with pytest.raises(TokenInvalid):
        await answer


@ON_POSTGRESQL
async def test_a_process_that_hears_the_bus_knows_a_change_at_once(start: Start, tmp_path: Path) -> None:
    async with running_redis(tmp_path) as redis:
        before = await start(redis_url=redis.url)
        after = await start(redis_url=redis.url)
        await until(lambda: before.bus.listening and after.bus.listening)

        kid = await switch(after)

        assert (await before.keys.signing()).kid == kid
        me = await signed_in(after)
        assert await status(before, me) == 200
        await revoke(after, kid)
        assert await status(before, me) == 401
        assert (await before.keys.signing()).kid == (await after.keys.signing()).kid != kid


async def test_what_a_key_verified_counts_no_more_when_the_key_is_gone(
    start: Start,
) -> None:
    service = await start()
    me = await signed_in(service)
    assert await status(service, me) == 200
    async with service.work() as work:
        await work.execute(delete(SigningKey))

    await service.bus.tell([SIGNING_KEYS])

    assert await status(service, me) == 401


# ── published ────────────────────────────────────────────────────────────────────────────────────


async def test_the_published_keys_are_read_once_and_shown_under_their_tag(start: Start, ticks: Ticks) -> None:
    service = await start()
    async with open_client(service) as client:
        first = await client.get("/.well-known/jwks.json")
        assert first.headers["Cache-Control"] == "public, max-age=300"
        for tag in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
            again = await client.get("/.well-known/jwks.json", headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
            assert again.headers["Cache-Control"] == "public, max-age=300"

        await switch(await start())
        ticks.move(3.1)
        other = await client.get("/.well-known/jwks.json", headers={"If-None-Match": first.headers["ETag"]})
        assert (other.status_code, len(other.json()["keys"])) == (200, 2)


async def max_age(gatepost: Gatepost) -> int:
    async with open_client(gatepost) as client:
        answer = await client.get("/.well-known/jwks.json")
    return int(answer.headers["Cache-Control"].removeprefix("public, max-age="))


async def tend(gatepost: Gatepost) -> int:
    return (await gatepost.schedule.run_all())["signing-keys.rotated"]


@ON_ONE_DATABASE
async def test_the_keys_are_not_to_be_kept_past_a_change_that_is_coming(
    start: Start, clock: MovableClock
) -> None:
    service = await start(tokens={"jwks_cache_time": "PT10M", "access_lifetime": "PT15M"})
    assert await max_age(service) == 600
    await service.run(lambda work: service.build(SigningKeys, work).prepare())
    clock.move(timedelta(seconds=229))  # the next one signs at 630
    assert await max_age(service) == 401
    clock.move(timedelta(seconds=400))
    assert await max_age(service) == 1
    clock.move(timedelta(seconds=1))
    assert await tend(service) == 1
    assert await max_age(service) == 600
    clock.move(timedelta(seconds=900))  # the one before is kept till 960
    assert await max_age(service) == 60
    assert len(await published(service)) == 2
    clock.move(timedelta(seconds=60))
    assert await max_age(service) == 600
    assert len(await published(service)) == 1


@ON_POSTGRESQL
async def test_keys_that_were_read_long_ago_are_to_be_kept_for_less(start: Start, ticks: Ticks) -> None:
    service = await start(tokens={"jwks_cache_time": "PT1M"}, database={"lock_timeout": 0.1})
    assert await max_age(service) == 60
    async with service.database.engine.connect() as blocking:
        await blocking.execute(text("LOCK TABLE signing_keys"))
        for more, left in ((10, 60), (1, 59), (58, 1), (2, 0), (9000, 0)):
            ticks.move(more)
            assert await max_age(service) == left


@pytest.mark.parametrize("lock_timeout", [0.1, 3.0], ids=["fails", "is-silent"])
@ON_POSTGRESQL
async def test_the_keys_at_hand_are_published_while_the_database_fails_or_is_silent(
    start: Start, ticks: Ticks, lock_timeout: float
) -> None:
    service = await start(database={"lock_timeout": lock_timeout})
    async with open_client(service) as client:
        known = await client.get("/.well-known/jwks.json")
        ticks.move(3.1)
        async with service.database.engine.begin() as blocking:
            await blocking.execute(text("LOCK TABLE signing_keys"))
            answer = await client.get("/.well-known/jwks.json")
        assert (answer.status_code, answer.json()) == (200, known.json())


# ── under another secret key ─────────────────────────────────────────────────────────────────────


async def test_under_another_secret_key_the_service_does_not_start(start: Start) -> None:
    first = await start()

    with pytest.raises(SigningKeyUnopened) as refused:
        await start(secret_key=OTHER_SECRET)
    assert "another GATEPOST_SECRET_KEY" in str(refused.value.__cause__)

    moved = await start(secret_key=OTHER_SECRET, previous_secret_keys=[SECRET])
    assert (await moved.keys.signing()).kid == (await first.keys.signing()).kid


async def test_v13_3_4_once_all_is_sealed_anew_the_previous_secret_key_can_be_dropped(start: Start) -> None:
    first = await start()
    moved = await start(secret_key=OTHER_SECRET, previous_secret_keys=[SECRET])

    assert (await moved.sealed.reseal()).done == {"signing_keys.private_sealed": 1}

    alone = await start(secret_key=OTHER_SECRET)
    assert (await alone.keys.signing()).kid == (await first.keys.signing()).kid


async def test_a_process_that_runs_goes_on_signing_when_its_key_is_sealed_under_one_that_it_lacks(
    start: Start, ticks: Ticks
) -> None:
    behind = await start()
    me = await signed_in(behind)
    ahead = await start(secret_key=OTHER_SECRET, previous_secret_keys=[SECRET])
    await ahead.sealed.reseal()
    ticks.move(3.1)

    assert await status(ahead, await signed_in(behind)) == 200
    assert await status(behind, me) == 200


async def test_a_process_that_cannot_open_the_new_key_still_verifies_and_publishes(
    start: Start, ticks: Ticks
) -> None:
    behind = await start()
    ahead = await start(secret_key=OTHER_SECRET, previous_secret_keys=[SECRET])
    await switch(ahead)
    me = await signed_in(ahead)

    ticks.move(3.1)
    assert await status(behind, me) == 200
    assert len(await published(behind)) == 2
    async with open_client(behind) as client:
        answer = await Make(behind, client).sign_in(me.person.email, me.person.password)
    assert (answer.status_code, answer.json()["code"]) == (503, "signing-key-unopened")


async def test_a_process_that_cannot_open_the_next_key_does_not_switch_to_it(
    start: Start, clock: MovableClock
) -> None:
    behind = await start()
    ahead = await start(secret_key=OTHER_SECRET, previous_secret_keys=[SECRET])
    await ahead.run(lambda work: ahead.build(SigningKeys, work).prepare())
    clock.move(timedelta(seconds=330))

    assert await tend(behind) == 0
    assert await tend(ahead) == 1

    assert set(await keys_of(ahead)) == {("ES256", KeyState.RETIRED), ("ES256", KeyState.SIGNING)}
