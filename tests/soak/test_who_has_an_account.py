"""Whether time tells who has an account: a thousand requests for each state of each journey by mail, in turns.

The two-sample Kolmogorov-Smirnov test, on times that were measured in rounds, each state once a round in an order by
lot, so that what slows the machine meets all alike. It fails beyond the distance that a chance of one in a thousand
leaves to equal distributions: then nobody who looks at one time is right more often than half of one and that distance.
"""

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.worker import running
from tests.conftest import open_client
from tests.mail.journeys import mailing
from tests.mail.sink import sink
from tests.make import Make
from tests.post import Post
from tests.security.askers import Ask, askers, for_askers
from tests.security.test_g_enumeration import distance
from tests.soak.record import record

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

TIMES = int(os.environ.get("TIMES", "1000"))
WARM_UP = 20
CHANCE = 1.95  # of the Kolmogorov distribution: 0.001


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return for_askers(settings)


@dataclass
class Took:
    """How long the answers of one state took, and how much of a processor, in seconds."""

    time: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


async def timed(states: Mapping[str, Ask], rounds: int) -> dict[str, Took]:
    """Return what each answer took, all states in turns."""
    took = {state: Took() for state in states}
    for number in range(WARM_UP + rounds):
        for state in random.sample(list(states), len(states)):
            began, worked = time.perf_counter(), time.process_time()
            await states[state]()
            if number >= WARM_UP:
                took[state].time.append(time.perf_counter() - began)
                took[state].processor.append(time.process_time() - worked)
    return took


def would_show(times: list[float], farthest: float) -> float:
    """Return the least delay that the test would have seen, in seconds."""
    delay = 1e-6
    while distance(times, [each + delay for each in times]) <= farthest:
        delay *= 1.1
    return delay


async def test_v6_3_8_g02_g03_time_tells_nobody_by_mail_who_has_an_account(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    farthest = CHANCE * (2 / TIMES) ** 0.5
    database = "sqlite" if gatepost.database.is_sqlite else "postgresql"
    beyond = []
    for name, states in (await askers(gatepost, client, make, Post(gatepost))).items():
        took = await timed(states, TIMES)
        for state in took.keys() - {"unknown"}:
            apart = distance(took["unknown"].time, took[state].time)
            figures = {
                "journey": name,
                "state": state,
                "database": database,
                "each": TIMES,
                "distance": round(apart, 4),
                "at_most": round(farthest, 4),
                "median_unknown_ms": round(median(took["unknown"].time) * 1000, 3),
                "median_known_ms": round(median(took[state].time) * 1000, 3),
                "would_show_ms": round(would_show(took["unknown"].time, farthest) * 1000, 3),
                # Of the service alone, and far finer than a network lets anybody see.
                "processor_distance": round(distance(took["unknown"].processor, took[state].processor), 4),
                "processor_unknown_ms": round(median(took["unknown"].processor) * 1000, 3),
                "processor_known_ms": round(median(took[state].processor) * 1000, 3),
            }
            record(f"time-{database}-{name.replace(' ', '-')}-{state}", **figures)
            if apart > farthest:
                beyond.append(figures)
    assert not beyond, beyond


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f13_answers_take_no_longer_while_the_mail_server_hangs(
    settings: Settings, clock: MovableClock
) -> None:
    """With the worker in the same process, in blocks of both kinds by turns.

    What is sent takes time of the same processor, so answers are rather faster while nothing can be.
    """
    async with sink() as server:
        service = mailing(settings, clock, sink=server)
        async with service.lifespan(), open_client(service) as client, running(service.worker):
            person = await Make(service, client).user()
            took: dict[bool, list[float]] = {True: [], False: []}
            for block in range(40):
                hangs = block % 2 == 1
                server.slow = {person.email}
                (server.go.clear if hangs else server.go.set)()
                for _ in range(TIMES // 40):
                    began = time.perf_counter()
                    answer = await client.post("/password/forgot", json={"email": person.email})
                    took[hangs].append(time.perf_counter() - began)
                    assert (answer.status_code, answer.content) == (202, b"")
            server.go.set()
    up, hanging = (median(took[hangs]) * 1000 for hangs in (False, True))
    record(
        "time-postgresql-hanging-server",
        each=len(took[True]),
        median_up_ms=round(up, 3),
        median_hanging_ms=round(hanging, 3),
    )
    assert hanging <= 1.5 * up
