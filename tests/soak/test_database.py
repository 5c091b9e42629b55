"""PostgreSQL crashes, freezes, is locked, undoes transactions, or has no connection left."""

import asyncio
import time

import pytest

from tests.soak.cluster import Cluster, client_at
from tests.soak.load import Load, loaded, percentile
from tests.soak.record import judge, record
from tests.soak.trouble import AFTERWARDS, BEFORE, people, troubled
from tests.soak.watch import watched

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


@pytest.mark.parametrize("seconds", [5.0, 15.0])
async def test_f04_postgresql_crashes_and_comes_back(cluster: Cluster, seconds: float) -> None:
    async with troubled(cluster, "f04") as trouble, trouble.at_work():
        await cluster.postgres.stop("immediate")
        await asyncio.sleep(seconds)
        await cluster.postgres.start()
    record(f"f04-{seconds:.0f}s", **trouble.figures)
    await trouble.judge(longest=5.0)


async def test_f06_postgresql_is_frozen(cluster: Cluster) -> None:
    async with troubled(cluster, "f06") as trouble:
        files = [cluster.open_files()]
        async with trouble.at_work():
            cluster.postgres.freeze()
            await asyncio.sleep(12)
            files.append(cluster.open_files())
            cluster.postgres.thaw()
        files.append(cluster.open_files())
    record("f06", **trouble.figures, open_files=files)
    # A statement may take five seconds, a new connection another five, giving one up two.
    await trouble.judge(longest=13.0)
    red = trouble.health.red_after(trouble.began)
    assert red is not None
    assert red < 2.5
    assert files[1] < 1.5 * files[0]


async def most(cluster: Cluster, metric: str) -> float:
    """Return the most that was told in two seconds; each process tells once a second."""
    told = []
    for _ in range(5):
        await asyncio.sleep(0.4)
        told.append(await cluster.measured(metric))
    return max(told)


async def test_f08_every_connection_for_changes_is_held(cluster: Cluster) -> None:
    """Eighty changes wait for rows that somebody else has locked: twice what all pools hold."""
    async with watched(cluster) as health, loaded(cluster, "f08") as load:
        await asyncio.sleep(BEFORE)
        async with cluster.postgres.connected() as holder:
            held = Load(cluster, f"{load.label}-held", pause=0.0)
            async with client_at(cluster.url) as client:
                tokens = await people(held, client, 80)
                transaction = holder.transaction()
                await transaction.start()
                await holder.execute("SELECT id FROM users WHERE email LIKE $1 FOR UPDATE", f"{held.label}%")
                began = time.monotonic()
                changes = asyncio.gather(*(held.rename(client, each, "in vain") for each in tokens))
                in_use = await most(cluster, 'gatepost_database_connections_in_use{pool="changes"}')
                await changes
                ended = time.monotonic()
                await transaction.rollback()
        await asyncio.sleep(AFTERWARDS / 2)
    refused = [each for each in held.answers if each.kind == "change" and each.status == 503]
    looks = [each for each in load.answers if began < each.at < ended and each.kind == "me"]
    record(
        "f08",
        connections_in_use=in_use,
        changes_refused=f"{len(refused)}/{len(tokens)}",
        refused_within=round(max(each.seconds for each in refused), 2),
        me_answers=len(looks),
        me_p99_ms=[
            percentile([each for each in load.answers if each.at < began], 0.99, "me"),
            percentile(looks, 0.99),
        ],
        probe_longest=health.longest,
        recovered_after=round(load.recovered_after(ended), 2),
    )
    assert in_use >= 36  # of 40
    assert {each.status for each in looks} == {200}
    assert all(ready for _, ready, _ in health.ready)
    # Two seconds for a connection, or three for the lock.
    assert max(each.seconds for each in refused) < 5.5 * load.neighbours.slowed()
    assert load.recovered_after(ended) < 5.0
    await judge(load)
