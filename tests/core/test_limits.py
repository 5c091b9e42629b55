"""Rules and where their state is kept: one suite for this process and for Redis, which must agree."""

import asyncio
import io
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gatepost.core.limits import (
    Backoff,
    Demand,
    Limit,
    Limiter,
    LocalLimiter,
    RedisLimiter,
    Verdict,
    judge,
    judge_backoff,
)
from gatepost.core.logging import make_logger
from tests.own_redis import OwnRedis
from tests.services import REDIS_URL, missing_reason

MINUTE = Limit("minute", 10, 60)
DELAY = Backoff("delay", MINUTE, free=3, longest=8, memory=100)


class Time:
    """A monotonic clock that stands still until moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


# --- the arithmetic -----------------------------------------------------------------------------------------


def test_a_burst_is_the_whole_limit_and_then_one_comes_each_step() -> None:
    full_at, verdicts = 0.0, []
    for _ in range(11):
        verdict, full_at = judge(MINUTE, full_at, 100.0)
        verdicts.append(verdict)

    assert [verdict.admitted for verdict in verdicts] == [True] * 10 + [False]
    assert [verdict.remaining for verdict in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert verdicts[0].reset == pytest.approx(6)
    assert verdicts[-1].retry_after == pytest.approx(6)
    assert judge(MINUTE, full_at, 105.9)[0].admitted is False
    assert judge(MINUTE, full_at, 106.0)[0].admitted is True


def test_the_headers_name_the_moment_of_retry_after() -> None:
    full_at = 0.0
    for _ in range(10):
        admitted, full_at = judge(MINUTE, full_at, 100.0)
    refused, _ = judge(MINUTE, full_at, 101.5)

    assert admitted.fields == {"RateLimit-Policy": '"minute";q=10;w=60', "RateLimit": '"minute";r=0;t=60'}
    assert refused.wait == 5  # 4.5 seconds, whole ones
    assert refused.fields["RateLimit"] == '"minute";r=0;t=5'


def test_a_clock_that_was_set_back_never_means_more_than_one_window() -> None:
    verdict, _ = judge(MINUTE, full_at=1e9, now=0.0)
    assert (verdict.admitted, verdict.retry_after) == (False, pytest.approx(6))
    wait, _ = judge_backoff(DELAY, (1e9, 50), now=0.0)
    assert (wait.admitted, wait.retry_after) == (False, 8)


limits = st.builds(Limit, st.just("any"), st.integers(1, 400), st.sampled_from([1.0, 7.0, 60.0, 3600.0]))
gaps = st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=300)


@given(limit=limits, gaps=gaps, start=st.floats(0, 1e7))
def test_no_window_admits_more_than_the_burst_and_what_came_free(
    limit: Limit, gaps: list[float], start: float
) -> None:
    now, full_at, admitted = start, 0.0, []
    for gap in gaps:
        now += gap
        verdict, full_at = judge(limit, full_at, now)
        if verdict.admitted:
            admitted.append(now)
        else:
            assert not judge(limit, full_at, now + verdict.retry_after * 0.99 - limit.step * 0.01)[0].admitted
            assert judge(limit, full_at, now + verdict.retry_after)[0].admitted
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            window = admitted[last] - admitted[first]
            # Rounding may be off by a thousandth of a step.
            assert last - first + 1 <= limit.count + window / limit.step + 0.01


@given(limit=limits, now=st.floats(0, 1e7), already=st.integers(0, 400))
def test_what_remains_is_what_is_admitted(limit: Limit, now: float, already: int) -> None:
    full_at = 0.0
    for _ in range(already):
        _, full_at = judge(limit, full_at, now)
    verdict, full_at = judge(limit, full_at, now)
    count = 0
    after, full_at = judge(limit, full_at, now)
    while after.admitted:
        count += 1
        after, full_at = judge(limit, full_at, now)
    assert count == verdict.remaining
    # All is there again once the reset has passed.
    again, _ = judge(limit, full_at, now + after.reset)
    assert again.remaining == limit.count - 1


def test_failures_in_a_row_wait_longer_and_longer_and_never_for_ever() -> None:
    state, now, waits = (0.0, 0), 100.0, []
    for _ in range(8):
        verdict, state = judge_backoff(DELAY, state, now)
        while not verdict.admitted:
            waits.append(verdict.retry_after)
            now += verdict.retry_after
            verdict, state = judge_backoff(DELAY, state, now)
    assert waits == pytest.approx([1, 2, 4, 8, 8])
    # Nobody tried for a long time: as if nothing had been.
    verdict, state = judge_backoff(DELAY, state, now + 109)
    assert (verdict.admitted, state[1]) == (True, 1)


# --- one contract, two homes of the state -------------------------------------------------------------------


class Kept(Protocol):
    """A limiter with its time."""

    limiter: Limiter

    async def wait(self, seconds: float) -> None: ...


class InProcess:
    def __init__(self) -> None:
        self.time = Time()
        self.limiter: Limiter = LocalLimiter(self.time)

    async def wait(self, seconds: float) -> None:
        self.time.seconds += seconds


class InRedis:
    """Redis has a clock of its own; so time passes by rewriting what it holds, as if it were longer ago."""

    def __init__(self, url: str) -> None:
        self.prefix = f"test:{secrets.token_hex(4)}:"
        self.limiter: Limiter = RedisLimiter(url, self.prefix, LocalLimiter(), make_logger("json", "error"))
        self.client: Any = Redis.from_url(url, decode_responses=True)

    async def wait(self, seconds: float) -> None:
        async for key in self.client.scan_iter(f"{self.prefix}*"):
            until, *rest = (await self.client.get(key)).split()
            left = await self.client.pttl(key) - seconds * 1000
            if left <= 0:
                await self.client.delete(key)
                continue
            await self.client.set(key, " ".join([f"{float(until) - seconds * 1e6:.0f}", *rest]), px=int(left))


@pytest.fixture
def redis_url() -> str:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    return os.environ[REDIS_URL]


@pytest.fixture(params=["process", "redis"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "process":
        yield InProcess()
        return
    home = InRedis(request.getfixturevalue("redis_url"))
    yield home
    assert not getattr(home.limiter, "is_local", False), "it was not Redis that judged"
    await home.limiter.close()
    await home.client.aclose()


async def one(limiter: Limiter, rule: Limit | Backoff = MINUTE, key: str = "ada") -> Verdict:
    (verdict,) = await limiter.admit([Demand(rule, key)])
    return verdict


async def test_many_at_once_are_exactly_the_limit(kept: Kept) -> None:
    limiter = kept.limiter
    for limit in (MINUTE, Limit("seventh", 7, 60), Limit("large", 333, 600)):
        verdicts = await asyncio.gather(*(one(limiter, limit) for _ in range(limit.count * 2)))
        admitted = [verdict for verdict in verdicts if verdict.admitted]
        assert len(admitted) == limit.count
        assert sorted(verdict.remaining for verdict in admitted) == list(range(limit.count))


async def test_what_is_said_of_later_is_true(kept: Kept) -> None:
    for _ in range(10):
        await one(kept.limiter)
    refused = await one(kept.limiter)
    assert (refused.admitted, refused.remaining) == (False, 0)
    assert refused.retry_after == pytest.approx(6, abs=0.5)
    assert refused.reset == pytest.approx(60, abs=0.5)

    await kept.wait(refused.retry_after - 1)
    assert not (await one(kept.limiter)).admitted
    await kept.wait(1.01)
    assert (await one(kept.limiter)).admitted
    assert not (await one(kept.limiter)).admitted
    await kept.wait(60)
    assert (await one(kept.limiter)).remaining == 9


async def test_keys_and_rules_do_not_share(kept: Kept) -> None:
    only_one = Limit("one", 1, 60)
    for rule, key in ((only_one, "ada"), (only_one, "eve"), (Limit("two", 1, 60), "ada")):
        assert (await one(kept.limiter, rule, key)).admitted
        assert not (await one(kept.limiter, rule, key)).admitted


async def test_the_first_refusal_ends_the_charges(kept: Kept) -> None:
    narrow, wide = Limit("narrow", 1, 60), Limit("wide", 5, 60)
    demands = [Demand(wide, "a"), Demand(narrow, "b"), Demand(wide, "c")]

    first, second = await kept.limiter.admit(demands), await kept.limiter.admit(demands)

    assert [verdict.admitted for verdict in first] == [True, True, True]
    assert [verdict.admitted for verdict in second] == [True, False]
    assert second[-1].rule is narrow
    # What came before the refusal was charged twice, what stood behind it once.
    assert (await one(kept.limiter, wide, "a")).remaining == 2
    assert (await one(kept.limiter, wide, "c")).remaining == 3


async def test_failures_are_delayed_until_a_success(kept: Kept) -> None:
    for _ in range(3):
        assert (await one(kept.limiter, DELAY)).admitted
    refused = await one(kept.limiter, DELAY)
    assert not refused.admitted
    assert refused.retry_after == pytest.approx(1, abs=0.2)
    assert (await one(kept.limiter, DELAY, "somebody else")).admitted

    await kept.wait(1)
    assert (await one(kept.limiter, DELAY)).admitted
    assert (await one(kept.limiter, DELAY)).retry_after == pytest.approx(2, abs=0.2)

    await kept.limiter.forget(Demand(DELAY, "ada"))
    for _ in range(3):
        assert (await one(kept.limiter, DELAY)).admitted


async def test_tries_at_the_same_moment_cannot_outrun_the_first_failure(kept: Kept) -> None:
    verdicts = await asyncio.gather(*(one(kept.limiter, DELAY) for _ in range(50)))
    assert sum(verdict.admitted for verdict in verdicts) == 3


async def test_the_longest_delay_is_the_longest(kept: Kept) -> None:
    for _ in range(12):
        await kept.wait((await one(kept.limiter, DELAY)).retry_after + 0.01)
    await one(kept.limiter, DELAY)
    assert (await one(kept.limiter, DELAY)).retry_after == pytest.approx(8, abs=0.5)
    await kept.wait(109)
    assert (await one(kept.limiter, DELAY)).remaining == 2


class Moved:
    """Time that tests have skipped; between them, next to none passes."""

    def __init__(self) -> None:
        self.skipped = timedelta(0)


@pytest.fixture(params=["process", "redis"])
async def moved(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Limiter, Moved]]:
    time = Moved()
    local = LocalLimiter(lambda: monotonic() + time.skipped.total_seconds())
    if request.param == "process":
        yield local, time
        return
    limiter = RedisLimiter(
        request.getfixturevalue("redis_url"),
        f"test:{secrets.token_hex(4)}:",
        local,
        make_logger("json", "error"),
        skipped=lambda: time.skipped,
    )
    yield limiter, time
    assert not limiter.is_local, "it was not Redis that judged"
    await limiter.close()


async def test_skipped_time_has_passed_for_limits_and_delays(moved: tuple[Limiter, Moved]) -> None:
    limiter, time = moved
    for _ in range(10):
        assert (await one(limiter)).admitted
    for _ in range(4):
        await one(limiter, DELAY)
    assert not (await one(limiter)).admitted
    assert not (await one(limiter, DELAY)).admitted

    time.skipped += timedelta(seconds=6.5)
    assert (await one(limiter)).admitted
    assert not (await one(limiter)).admitted
    # One step of the row of failures waited, and the row goes on.
    assert (await one(limiter, DELAY)).admitted
    assert not (await one(limiter, DELAY)).admitted

    time.skipped += timedelta(days=31)
    assert (await one(limiter)).remaining == 9
    # All is forgotten, not only waited for.
    assert (await one(limiter, DELAY)).remaining == 2


async def test_all_who_ask_redis_together_skip_the_same_time(redis_url: str) -> None:
    limiter = RedisLimiter(
        redis_url,
        f"test:{secrets.token_hex(4)}:",
        LocalLimiter(),
        make_logger("json", "error"),
        skipped=lambda: timedelta(days=31),
    )
    verdicts = await asyncio.gather(
        *(one(limiter) for _ in range(30)), *(one(limiter, DELAY) for _ in range(30))
    )
    assert sum(verdict.admitted for verdict in verdicts) == 13
    await limiter.close()


# --- this process -------------------------------------------------------------------------------------------


async def test_a_flood_of_keys_takes_bounded_room_and_leaves_other_rules_alone() -> None:
    limiter = LocalLimiter(Time(), capacity=100)
    for _ in range(10):
        await one(limiter, MINUTE, "the account")
    other = Limit("addresses", 10, 60)
    for number in range(5000):
        await one(limiter, other, str(number))

    assert limiter.size == 101
    assert not (await one(limiter, MINUTE, "the account")).admitted


async def test_what_is_over_makes_room_before_what_is_not() -> None:
    time = Time()
    limiter = LocalLimiter(time, capacity=100)
    for number in range(100):
        await one(limiter, MINUTE, f"early {number}")
    time.seconds += 60
    for number in range(50):
        await one(limiter, MINUTE, f"late {number}")

    assert limiter.size == 50


# --- Redis --------------------------------------------------------------------------------------------------


async def test_all_demands_take_one_round_trip(redis_url: str) -> None:
    home = InRedis(redis_url)
    demands = [Demand(MINUTE, "a"), Demand(Limit("other", 5, 60), "b"), Demand(DELAY, "c")]
    await home.limiter.admit(demands)
    async with home.client.monitor() as monitor:
        await home.limiter.admit(demands)
        await home.client.echo(home.prefix)
        asked = []
        async for said in monitor.listen():
            if said["command"].startswith("ECHO") and home.prefix in said["command"]:
                break
            if said["client_type"] != "lua" and home.prefix in said["command"]:
                asked.append(said["command"].split()[0])
    assert asked == ["EVALSHA"]
    await home.limiter.close()
    await home.client.aclose()


async def test_nothing_stays_in_redis_for_ever(redis_url: str) -> None:
    home = InRedis(redis_url)
    await home.limiter.admit([Demand(MINUTE, "a"), Demand(DELAY, "b")])
    lives = {key: await home.client.pttl(key) async for key in home.client.scan_iter(f"{home.prefix}*")}
    assert sorted(lives) == [f"{home.prefix}delay:b", f"{home.prefix}minute:a"]
    assert 0 < lives[f"{home.prefix}minute:a"] <= 6_000
    assert 0 < lives[f"{home.prefix}delay:b"] <= 100_000
    await home.limiter.close()
    await home.client.aclose()


@pytest.fixture
async def own_redis(tmp_path: Path, redis_url: str) -> AsyncIterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    await server.start()
    yield server
    server.kill()


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    with io.StringIO() as stream:
        yield stream


def over(server: OwnRedis, time: Time, said: io.StringIO) -> RedisLimiter:
    return RedisLimiter(server.url, "f12:", LocalLimiter(time), make_logger("json", "info", said), time)


async def burst(limiter: Limiter, key: str = "ada") -> int:
    verdicts = await asyncio.gather(*(one(limiter, MINUTE, key) for _ in range(30)))
    return sum(verdict.admitted for verdict in verdicts)


async def test_f12_redis_killed_limits_stay_exact_and_come_back_by_themselves(
    own_redis: OwnRedis, said: io.StringIO
) -> None:
    time = Time()
    limiter = over(own_redis, time, said)
    assert await burst(limiter) == 10
    own_redis.kill()

    assert (await burst(limiter), await burst(limiter)) == (10, 0)
    assert limiter.is_local
    assert said.getvalue().count("limits.redis_gone") == 1
    time.seconds += 2.5
    assert await burst(limiter) == 0  # it asked again, in vain
    assert limiter.is_local

    await own_redis.start()
    time.seconds += 2.5
    assert (await one(limiter, MINUTE, "probe")).admitted
    assert not limiter.is_local
    assert await burst(limiter, "eve") == 10
    assert said.getvalue().count("limits.redis_gone") == 1
    assert said.getvalue().count("limits.redis_back") == 1
    await limiter.close()


async def test_f12_redis_frozen_limits_stay_exact_and_answers_quick(
    own_redis: OwnRedis, said: io.StringIO
) -> None:
    time = Time()
    limiter = over(own_redis, time, said)
    assert await burst(limiter) == 10
    own_redis.tell(signal.SIGSTOP)
    loop = asyncio.get_running_loop()

    began = loop.time()
    assert await burst(limiter) == 10
    assert loop.time() - began < 2, "each waits half a second at most, all at once"
    began = loop.time()
    assert await burst(limiter) == 0
    assert loop.time() - began < 0.4, "nobody waits while it is known to be away"

    own_redis.tell(signal.SIGCONT)
    time.seconds += 2.5
    await one(limiter, MINUTE, "probe")
    assert not limiter.is_local
    assert await burst(limiter, "bob") == 10
    await limiter.close()


async def test_f12_redis_flushed_the_script_comes_again_and_nothing_fails(
    own_redis: OwnRedis, said: io.StringIO
) -> None:
    limiter = over(own_redis, Time(), said)
    assert await burst(limiter) == 10
    client: Any = Redis.from_url(own_redis.url)
    await client.script_flush()
    assert await burst(limiter) == 0
    await client.flushall()
    assert await burst(limiter) == 10
    assert not limiter.is_local
    await client.aclose()
    await limiter.close()


async def test_f12_redis_full_limits_stay_exact(own_redis: OwnRedis, said: io.StringIO) -> None:
    client: Any = Redis.from_url(own_redis.url)
    await client.config_set("maxmemory-policy", "noeviction")
    await client.config_set("maxmemory", 1)
    limiter = over(own_redis, Time(), said)

    assert (await burst(limiter), await burst(limiter)) == (10, 0)
    assert limiter.is_local
    await client.aclose()
    await limiter.close()
