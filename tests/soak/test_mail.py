"""Ten thousand mails that wait: how fast they go out, and whether anybody who signs in meanwhile notices."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from statistics import quantiles

import aiosmtplib
import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import Delivery
from gatepost.worker import running
from tests.conftest import open_client
from tests.mail.journeys import ask, mailing
from tests.make import Make
from tests.processes import free_port
from tests.soak.record import record

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

MAILS = int(os.environ.get("MAILS", "10000"))
CONNECTIONS = 8
LEAST_SHARE = 0.6
MOST_SLOWER = 2.0


class Port:
    """What the helpers of the mail tests ask of a server."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server in a process of its own, which throws away what it takes."""
    chosen = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink"),
        *("-l", f"127.0.0.1:{chosen}"),
    )
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", chosen)
                break
            except OSError:
                await asyncio.sleep(0.05)
    writer.close()
    yield chosen
    process.terminate()
    await process.wait()


async def by_the_library_alone(port: int, count: int) -> float:
    """Send as many by aiosmtplib, over as many connections; return mails per second."""
    left = iter(range(count))

    async def send_some() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in left:
                message = EmailMessage()
                message["From"], message["To"] = "no-reply@shop.example", f"p{number}@example.com"
                message["Subject"] = "link.asked"
                message.set_content(f"https://shop.example/{number}\n")
                message.add_alternative(f"<p>https://shop.example/{number}</p>", subtype="html")
                await client.send_message(message)

    began = time.perf_counter()
    await asyncio.gather(*(send_some() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


async def asked_me(client: AsyncClient, headers: dict[str, str], until: asyncio.Event) -> list[float]:
    """Ask who one is, fifty times a second; return how long each answer took, in seconds."""
    took: list[float] = []
    while not until.is_set():
        began = time.perf_counter()
        assert (await client.get("/users/me", headers=headers)).status_code == 200
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
    return took


def p99(took: list[float]) -> float:
    return quantiles(took, n=100)[-1]


async def all_sent(service: Gatepost) -> None:
    waiting = select(func.count().label("waiting")).where(Delivery.state == "due")
    while True:
        row = await service.database.reads.first(waiting)
        if row is None or not row.waiting:
            return
        await asyncio.sleep(0.1)


async def for_a_while(seconds: float) -> asyncio.Event:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return over


async def test_ten_thousand_mails_go_out_nearly_as_fast_as_the_library_can(
    settings: Settings, clock: MovableClock, port: int
) -> None:
    await by_the_library_alone(port, min(MAILS, 200))
    bare = await by_the_library_alone(port, MAILS)
    service = mailing(settings, clock, sink=Port(port), concurrency=CONNECTIONS)
    async with service.lifespan(), open_client(service) as client:
        me = (await Make(service, client).signed_in()).headers
        idle = await asked_me(client, me, await for_a_while(5.0))
        for first in range(0, MAILS, 500):
            await ask(
                service, *(f"p{number}@example.com" for number in range(first, min(first + 500, MAILS)))
            )
        sent = asyncio.Event()
        began = time.perf_counter()
        async with running(service.worker):
            asking = asyncio.create_task(asked_me(client, me, sent))
            await all_sent(service)
            ours = MAILS / (time.perf_counter() - began)
            sent.set()
            busy = await asking

    figures = {
        "mails": MAILS,
        "database": "sqlite" if service.database.is_sqlite else "postgresql",
        "bare_per_second": round(bare),
        "ours_per_second": round(ours),
        "me_p99_idle_ms": round(p99(idle) * 1000, 2),
        "me_p99_busy_ms": round(p99(busy) * 1000, 2),
    }
    record(f"mail-{figures['database']}", **figures)
    assert service.outbox.lanes["mail"].results["done"] == MAILS
    assert ours >= LEAST_SHARE * bare, figures
    assert p99(busy) <= MOST_SLOWER * p99(idle), figures
