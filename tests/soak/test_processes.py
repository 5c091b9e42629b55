"""Processes that die amid requests."""

import asyncio
import time

import pytest

from tests.soak.cluster import Cluster
from tests.soak.load import loaded, percentile
from tests.soak.record import judge, record

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

KILLS = 10
BETWEEN = 2.0


async def test_f01_a_worker_is_killed_every_two_seconds(cluster: Cluster) -> None:
    kills: list[float] = []
    at_risk = 0
    async with loaded(cluster, "f01") as load:
        began = time.monotonic()
        for number in range(KILLS):
            await asyncio.sleep(BETWEEN)
            kills.append(time.monotonic())
            at_risk += load.in_flight
            cluster.kill_worker(number * 3)
        await asyncio.sleep(5)
        ended = time.monotonic()
        async with cluster.postgres.connected() as connection:
            stuck = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost'"
                " AND state <> 'idle' AND now() - xact_start > interval '3 s'"
            )
    failed = load.failed(began)
    last_after_a_kill = max(each.at - max(at for at in kills if at <= each.at) for each in failed)
    record(
        "f01",
        kills=KILLS,
        answers=load.counted(began),
        in_flight=at_risk,
        failed=len(failed),
        failures_end_after=round(last_after_a_kill, 2),
        p99_ms=percentile(load.answers, 0.99),
        requests_a_second=round(load.goodput(began, ended)),
    )
    # Who was being answered by the process that died; nobody else.
    assert len(failed) <= at_risk
    assert last_after_a_kill < 1.0
    assert stuck == 0
    assert len(cluster.workers()) == 4
    await judge(load)
