"""The life of a key: when the next is made, when it signs, when the old one goes; whoever does it, however many."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventRow
from gatepost.core.schedule import FIRST_LOOK
from gatepost.tokens import KeyInfo, KeyState, SigningKey, SigningKeys, SigningKeyUnknown, TokenOptions
from tests.conftest import make_settings

ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LEAD = timedelta(seconds=330)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LIFETIME = 90 * DAY
KEPT = timedelta(minutes=15) + timedelta(seconds=60)

Start = Callable[..., Awaitable[Gatepost]]


@pytest.fixture
async def start(settings: Settings, clock: MovableClock) -> AsyncIterator[Start]:
    """Start another service on this database, with other options of tokens."""
    async with AsyncExitStack() as stack:

        async def one(**tokens: Any) -> Gatepost:
            # The jobs run when the test says so, and not beside it.
            options: dict[str, Any] = {"tokens": tokens, "run_worker": False}
            wanted = make_settings(settings.database_location, settings.data_dir, **options)
            service = Gatepost(wanted, clock=clock)
            await stack.enter_async_context(service.lifespan())
            return service

        yield one


def keys_in(gatepost: Gatepost) -> Callable[[Any], SigningKeys]:
    return lambda work: gatepost.build(SigningKeys, work)


async def listed(gatepost: Gatepost) -> dict[KeyState, KeyInfo]:
    """Return the newest key in each state."""
    return {key.state: key for key in await gatepost.build(SigningKeys, gatepost.reading()).listed()}


async def tend(gatepost: Gatepost) -> int:
    return (await gatepost.schedule.run_all())["signing-keys.rotated"]


async def events(gatepost: Gatepost) -> list[tuple[str, dict[str, Any]]]:
    happened = select(EventRow.type, EventRow.data).where(EventRow.type.like("signing_key.%"))
    rows = await gatepost.database.reads.rows(happened.order_by(EventRow.id))
    return [(row.type.removeprefix("signing_key."), row.data) for row in rows]


async def rows(gatepost: Gatepost) -> list[Any]:
    return [*await gatepost.database.reads.rows(select(SigningKey.__table__))]


# ── on schedule ──────────────────────────────────────────────────────────────────────────────────


async def test_the_next_key_is_published_before_it_signs_and_the_old_one_goes_after_its_last_token(
    start: Start, clock: MovableClock
) -> None:
    service = await start()
    old = (await listed(service))[KeyState.SIGNING]
    assert old.activated_at == clock.now()

    clock.move(LIFETIME - LEAD - SECOND)
    assert await tend(service) == 0
    clock.move(SECOND)
    assert (await tend(service), await tend(service)) == (1, 0)
    prepared = (await listed(service))[KeyState.NEXT]
    assert (prepared.created_at, prepared.activates_at) == (clock.now(), clock.now() + LEAD)
    assert {key["kid"] for key in (await service.keys.jwks())["keys"]} == {old.kid, prepared.kid}
    assert (await service.keys.signing()).kid == old.kid

    clock.move(LEAD - SECOND)
    assert await tend(service) == 0
    clock.move(SECOND)
    assert (await tend(service), await tend(service)) == (1, 0)
    assert (await service.keys.signing()).kid == prepared.kid
    now = await listed(service)
    assert (now[KeyState.SIGNING].kid, now[KeyState.SIGNING].activated_at) == (prepared.kid, clock.now())
    assert (now[KeyState.RETIRED].kid, now[KeyState.RETIRED].kept_until) == (old.kid, clock.now() + KEPT)
    assert now[KeyState.RETIRED].opens is None

    clock.move(KEPT - SECOND)
    assert await tend(service) == 0
    clock.move(SECOND)
    assert await tend(service) == 1
    assert [key.kid for key in (await listed(service)).values()] == [prepared.kid]
    assert [key["kid"] for key in (await service.keys.jwks())["keys"]] == [prepared.kid]


async def test_every_step_is_an_event(start: Start, clock: MovableClock) -> None:
    service = await start()
    old = (await service.keys.signing()).kid
    clock.move(LIFETIME)
    await tend(service)
    new = (await listed(service))[KeyState.NEXT].kid
    clock.move(LEAD)
    await tend(service)
    clock.move(KEPT)
    await tend(service)
    await service.run(lambda work: keys_in(service)(work).revoke(new))
    newest = (await service.keys.signing()).kid

    assert await events(service) == [
        ("created", {"kid": old, "algorithm": "ES256"}),
        ("activated", {"kid": old, "replaces": None}),
        ("created", {"kid": new, "algorithm": "ES256"}),
        ("activated", {"kid": new, "replaces": old}),
        ("removed", {"kid": old}),
        ("revoked", {"kid": new, "state": "signing"}),
        ("created", {"kid": newest, "algorithm": "ES256"}),
        ("activated", {"kid": newest, "replaces": new}),
    ]


async def test_a_worker_rotates_by_itself(start: Start, clock: MovableClock) -> None:
    service = await start()
    await service.schedule.run_due()
    clock.move(LIFETIME)
    for _ in range(20):
        await service.schedule.run_due()
    assert KeyState.NEXT in await listed(service)
    # More than a minute later at the latest it signs.
    clock.move(LEAD + timedelta(seconds=70))
    for _ in range(20):
        await service.schedule.run_due()
    assert KeyState.RETIRED in await listed(service)


async def test_of_many_processes_that_rotate_at_once_one_does(start: Start, clock: MovableClock) -> None:
    services = [await start() for _ in range(4)]
    old = (await services[0].keys.signing()).kid

    async def all_at_once() -> int:
        return sum(await asyncio.gather(*map(tend, services)))

    for begin in (LIFETIME, LEAD, KEPT):
        clock.move(begin)
        assert await all_at_once() == 1
        assert await all_at_once() == 0

    assert len(await rows(services[0])) == 1
    for service in services:
        service.keys.forget_all()
    kids = {(await service.keys.signing()).kid for service in services}
    assert len(kids) == 1
    assert old not in kids


async def test_another_algorithm_is_prepared_and_takes_over_without_a_break(
    start: Start, clock: MovableClock
) -> None:
    before = await start()
    old = (await before.keys.signing()).kid
    after = await start(algorithm="EdDSA")
    assert (await after.keys.signing()).kid == old

    assert await tend(after) == 1
    assert (await listed(after))[KeyState.NEXT].algorithm == "EdDSA"
    assert (await after.keys.signing()).kid == old
    clock.move(LEAD)
    # Whoever comes first, also one of those that do not know the new setting yet.
    assert await tend(before) == 1

    after.keys.forget_all()
    assert (await after.keys.signing()).algorithm == "EdDSA"
    algorithms = {key["kid"]: key["alg"] for key in (await after.keys.jwks())["keys"]}
    assert algorithms[old] == "ES256"
    assert sorted(algorithms.values()) == ["ES256", "EdDSA"]


async def test_a_process_that_wants_another_algorithm_leaves_a_next_key_that_is_published(
    start: Start, clock: MovableClock
) -> None:
    one, other = await start(), await start(algorithm="EdDSA")
    await tend(other)
    published = (await listed(one))[KeyState.NEXT].kid
    for _ in range(3):
        assert (await tend(one), await tend(other)) == (0, 0)
    assert (await listed(one))[KeyState.NEXT].kid == published


async def test_a_key_whose_tokens_lived_longer_before_is_kept_for_those(
    start: Start, clock: MovableClock
) -> None:
    await start(access_lifetime="PT1M")
    long = await start(access_lifetime="PT8H")
    short = await start(access_lifetime="PT1M")
    assert long.keys._at_hand.signing is not None

    await short.run(lambda work: keys_in(short)(work).switch())

    retired = (await listed(short))[KeyState.RETIRED]
    assert retired.kept_until == clock.now() + timedelta(hours=8, seconds=60)
    # The one that signs now knows of one minute, till somebody signs longer ones.
    assert [row.token_seconds for row in await rows(short) if row.is_current] == [60]
    long.keys.forget_all()
    await long.keys.ready()
    assert [row.token_seconds for row in await rows(short) if row.is_current] == [28_800]
    await short.keys.ready()
    assert [row.token_seconds for row in await rows(short) if row.is_current] == [28_800]


# ── times that a wrong clock set, or the version before did not ──────────────────────────────────


async def test_a_retired_key_without_an_end_gets_one(start: Start, clock: MovableClock) -> None:
    service = await start()
    old = (await service.keys.signing()).kid
    async with service.database.write() as transaction:
        await transaction.execute(update(SigningKey).values(is_current=None, token_seconds=None))
    service.keys.forget_all()
    await service.keys.signing()

    assert await tend(service) == 1

    retired = (await listed(service))[KeyState.RETIRED]
    # How long its tokens live is not known.
    assert (retired.kid, retired.kept_until) == (old, clock.now() + timedelta(hours=24, seconds=60))
    assert retired.opens is None
    assert await tend(service) == 0


async def test_times_that_lie_too_far_ahead_come_from_a_wrong_clock_and_are_put_right(
    start: Start, clock: MovableClock
) -> None:
    service = await start()
    clock.move(1000 * DAY)
    await tend(service)
    clock.move(LEAD)
    await tend(service)
    clock.move(-1000 * DAY)

    assert await tend(service) == 2
    now = await listed(service)
    assert now[KeyState.RETIRED].kept_until == clock.now() + KEPT
    assert now[KeyState.NEXT].activates_at == clock.now() + LEAD
    clock.move(LEAD)
    assert await tend(service) == 1
    assert (await listed(service))[KeyState.SIGNING].activated_at == clock.now()


async def test_a_next_key_that_a_wrong_clock_published_waits_its_time(
    start: Start, clock: MovableClock
) -> None:
    service = await start()
    clock.move(1000 * DAY)
    await service.run(lambda work: keys_in(service)(work).prepare())
    clock.move(-1000 * DAY)

    assert await tend(service) == 1
    assert (await listed(service))[KeyState.NEXT].activates_at == clock.now() + LEAD


# ── by an operator ───────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_is_prepared_twice_is_the_same(start: Start, clock: MovableClock) -> None:
    services = [await start() for _ in range(4)]

    prepared = await asyncio.gather(
        *(service.run(lambda work, it=service: keys_in(it)(work).prepare()) for service in services)
    )

    assert len({key.kid for key, _ in prepared}) == 1
    assert sorted(is_new for _, is_new in prepared) == [False, False, False, True]
    assert len(await rows(services[0])) == 2


async def test_preparing_replaces_a_next_key_that_could_not_sign_or_is_not_wanted(start: Start) -> None:
    one, other = await start(), await start(algorithm="EdDSA")
    first, _ = await one.run(lambda work: keys_in(one)(work).prepare())

    second, is_new = await other.run(lambda work: keys_in(other)(work).prepare())

    assert (second.algorithm, is_new) == ("EdDSA", True)
    assert first.kid not in {row.kid for row in await rows(one)}
    assert (await events(one))[-2:] == [
        ("removed", {"kid": first.kid}),
        ("created", {"kid": second.kid, "algorithm": "EdDSA"}),
    ]


async def test_a_switch_says_when_all_know_the_key(start: Start, clock: MovableClock) -> None:
    service = await start()

    fresh, known_at = await service.run(lambda work: keys_in(service)(work).switch())
    assert (fresh.state, known_at) == (KeyState.SIGNING, clock.now() + LEAD)

    prepared, _ = await service.run(lambda work: keys_in(service)(work).prepare())
    clock.move(LEAD / 2)
    early, known_at = await service.run(lambda work: keys_in(service)(work).switch())
    assert (early.kid, known_at) == (prepared.kid, clock.now() + LEAD / 2)

    await service.run(lambda work: keys_in(service)(work).prepare())
    clock.move(LEAD)
    _, known_at = await service.run(lambda work: keys_in(service)(work).switch())
    assert known_at is None


async def test_several_who_switch_at_once_leave_one_key_that_signs(start: Start) -> None:
    services = [await start() for _ in range(4)]

    await asyncio.gather(
        *(service.run(lambda work, it=service: keys_in(it)(work).switch()) for service in services)
    )

    found = await rows(services[0])
    assert [row.is_current for row in found].count(True) == 1
    assert len(found) == 5
    assert all(row.kept_until for row in found if not row.is_current)


async def test_revoking_the_signing_key_revokes_the_next_one_too(start: Start) -> None:
    service = await start()
    signing = (await service.keys.signing()).kid
    prepared, _ = await service.run(lambda work: keys_in(service)(work).prepare())

    revoked, changed = await service.run(lambda work: keys_in(service)(work).revoke(signing))

    assert (revoked.state, revoked.opens, changed) == (KeyState.REVOKED, None, True)
    found = {row.kid: row for row in await rows(service)}
    assert found[prepared.kid].revoked_at is not None
    (current,) = [row for row in found.values() if row.is_current]
    assert current.kid not in {signing, prepared.kid}
    assert [found[kid].private_sealed for kid in (signing, prepared.kid)] == [b"", b""]


async def test_revoking_twice_changes_nothing_and_of_several_at_once_one_does(start: Start) -> None:
    services = [await start() for _ in range(4)]
    kid = (await services[0].keys.signing()).kid

    outcomes = await asyncio.gather(
        *(service.run(lambda work, it=service: keys_in(it)(work).revoke(kid)) for service in services)
    )

    assert sorted(changed for _, changed in outcomes) == [False, False, False, True]
    assert len(await rows(services[0])) == 2
    again = await services[0].run(lambda work: keys_in(services[0])(work).revoke(kid))
    assert again[1] is False


async def test_revoking_against_rotating_leaves_one_key_that_signs(start: Start, clock: MovableClock) -> None:
    services = [await start() for _ in range(4)]
    for _ in range(5):
        kid = (await listed(services[0]))[KeyState.SIGNING].kid
        await services[0].run(lambda work: keys_in(services[0])(work).prepare())
        clock.move(LEAD)

        await asyncio.gather(
            services[0].run(lambda work, kid=kid: keys_in(services[0])(work).revoke(kid)),
            *map(tend, services[1:]),
        )

        found = {row.kid: row for row in await rows(services[0])}
        assert found[kid].revoked_at is not None
        assert found[kid].private_sealed == b""
        assert [row.is_current for row in found.values()].count(True) == 1


async def test_a_retired_and_a_next_key_can_be_revoked_alone(start: Start) -> None:
    service = await start()
    old = (await service.keys.signing()).kid
    current, _ = await service.run(lambda work: keys_in(service)(work).switch())
    prepared, _ = await service.run(lambda work: keys_in(service)(work).prepare())

    for kid in (old, prepared.kid):
        await service.run(lambda work, kid=kid: keys_in(service)(work).revoke(kid))

    found = {row.kid: row for row in await rows(service)}
    assert [row.kid for row in found.values() if row.is_current] == [current.kid]
    assert found.keys() == {old, prepared.kid, current.kid}
    # Another successor can be prepared.
    assert (await service.run(lambda work: keys_in(service)(work).prepare()))[1] is True


async def test_a_revoked_key_is_shown_till_all_it_signed_would_have_expired(
    start: Start, clock: MovableClock
) -> None:
    service = await start()
    kid = (await service.keys.signing()).kid
    await service.run(lambda work: keys_in(service)(work).revoke(kid))

    clock.move(KEPT - SECOND)
    assert await tend(service) == 0
    clock.move(SECOND)
    assert await tend(service) == 1
    assert kid not in {row.kid for row in await rows(service)}


async def test_a_key_that_is_not_there_cannot_be_revoked(start: Start) -> None:
    service = await start()
    with pytest.raises(SigningKeyUnknown):
        await service.run(lambda work: keys_in(service)(work).revoke("nobody"))


async def test_where_no_key_signs_rotating_makes_the_first(settings: Settings) -> None:
    for method in ("prepare", "switch"):
        service = Gatepost(settings)
        async with service.database.write() as transaction:
            await transaction.execute(text("DELETE FROM signing_keys"))
        key, _ = await service.run(lambda work, it=service, name=method: getattr(keys_in(it)(work), name)())
        assert key.state is KeyState.SIGNING
        assert len(await rows(service)) == 1
        await service.database.close()


# ── what must always hold ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrong",
    [
        {"is_current": True},
        {"is_next": True, "is_current": True},
        {"is_current": True, "revoked_at": "now"},
        {"is_next": True, "revoked_at": "now"},
    ],
    ids=str,
)
async def test_the_database_itself_refuses_keys_in_two_states(
    start: Start, clock: MovableClock, wrong: dict[str, Any]
) -> None:
    service = await start()
    if wrong != {"is_current": True}:
        async with service.database.write() as transaction:
            await transaction.execute(update(SigningKey).values(is_current=None))
    fields = {name: clock.now() if value == "now" else value for name, value in wrong.items()}
    row = {
        "kid": "x",
        "algorithm": "ES256",
        "public_jwk": {},
        "private_sealed": b"",
        "created_at": clock.now(),
    }
    with pytest.raises(IntegrityError):
        async with service.database.write() as transaction:
            await transaction.execute(insert(SigningKey).values(**row, **fields))


@pytest.mark.parametrize(
    ("cache", "lifetime", "good"),
    [("PT5M", "PT5M30S", False), ("PT5M", "PT5M31S", True), ("PT0S", "PT30S", False), ("P1D", "P1D", False)],
)
def test_a_key_must_live_longer_than_it_takes_to_be_known(cache: str, lifetime: str, good: bool) -> None:
    values: Any = {"jwks_cache_time": cache, "key_lifetime": lifetime}
    if good:
        assert TokenOptions(**values).key_lead == timedelta(minutes=5, seconds=30)
        return
    with pytest.raises(ValidationError, match="key_lifetime must be longer"):
        TokenOptions(**values)


def test_the_first_look_at_the_schedule_comes_before_the_margin_is_over() -> None:
    """A worker that starts with the service looks after the keys in time."""
    assert FIRST_LOOK < LEAD
