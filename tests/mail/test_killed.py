"""F02, F35: the worker killed at every point of sending. Nothing is lost, and what comes twice says so."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost import Settings
from gatepost.core.clock import MovableClock
from tests.mail.journeys import ask, mailing, states
from tests.mail.sink import Sink, sink
from tests.processes import environment

PEOPLE = [f"p{number}@example.com" for number in range(4)]
TIMEOUT = 30

# The third mail is what kills it, at one of the points.
WORKER = """
import asyncio, os, signal, sys
from gatepost.core.clock import SystemClock
from gatepost.core.mail import SmtpTransport
from gatepost.core.outbox import settling
from gatepost.settings import Settings
from tests.mail.journeys import mailing

point, mails = sys.argv[1], 0

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

hand_over, add = SmtpTransport._hand_over, settling.Settling.add

async def handed_over(self, envelope):
    global mails
    mails += 1
    if mails == 3 and point == "before sending":
        die()
    await hand_over(self, envelope)
    if mails == 3 and point == "after sending":
        die()

def added(self, outcome):
    if mails == 3 and point == "before settling":
        die()
    add(self, outcome)
    if mails == 3 and point == "after settling":
        asyncio.create_task(self.written()).add_done_callback(die)

SmtpTransport._hand_over, settling.Settling.add = handed_over, added

async def main():
    service = mailing(Settings(), SystemClock())
    async with service.lifespan():
        await service.worker.run()

asyncio.run(main())
"""


@pytest.fixture
async def server() -> AsyncIterator[Sink]:
    async with sink() as up:
        yield up


@pytest.mark.parametrize("point", ["before sending", "after sending", "before settling", "after settling"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_f02_f35_a_worker_killed_while_it_sends_loses_nothing(
    settings: Settings, server: Sink, tmp_path: Path, point: str
) -> None:
    clock = MovableClock()
    service = mailing(settings, clock, sink=server)
    await ask(service, *PEOPLE)
    told = {
        "GATEPOST_DATABASE_URL": settings.database_location,
        "GATEPOST_SECRET_KEY": settings.key_ring()[0],
        "GATEPOST_MAIL_URL": f"smtp://127.0.0.1:{server.port}?starttls=never",
        "GATEPOST_MAIL__SENDER": "no-reply@shop.example",
        "GATEPOST_MAIL__CONCURRENCY": "1",
        "GATEPOST_LOG_LEVEL": "error",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, point), cwd=tmp_path, env=environment(tmp_path, told)
    )
    try:
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    before = len(server.got)

    # Its leases hold the others off; when they end, another worker goes on.
    assert await service.worker.drain() == 0
    clock.move(timedelta(seconds=TIMEOUT) + service.outbox.lanes["mail"].policy.lease)
    await service.worker.drain()

    assert await states(service) == {"done": 4}
    assert sorted(set(server.recipients)) == PEOPLE
    assert len(server.times) == 4
    # What was sent in the last moment comes again: no more than those on their way, and those being written down.
    again = sum(server.times.values()) - 4
    least = {"before sending": 0, "after sending": 1, "before settling": 1, "after settling": 0}
    assert (before >= 2, least[point] <= again <= 3) == (True, True)
    await service.mail.close()
    await service.database.close()
