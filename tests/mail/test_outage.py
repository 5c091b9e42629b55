"""F13: a mail server that is slow, rude or gone for a day. Nobody who signs up notices, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gatepost import Consumer, Gatepost, RecordedEvent, Settings, UserRegistered
from gatepost.core.clock import MovableClock
from gatepost.core.mail import Mail
from gatepost.core.outbox import Letters
from gatepost.worker import running
from tests.conftest import open_client
from tests.mail.journeys import LinkAsked, PasswordTold, ask, kept, mailing, states
from tests.mail.sink import Sink, sink
from tests.make import PASSWORD

HOUR = timedelta(hours=1)


@pytest.fixture
async def server() -> AsyncIterator[Sink]:
    async with sink() as up:
        yield up


async def test_f13_a_day_without_a_mail_server_loses_nothing_and_sends_nothing_late(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    service = mailing(settings, clock, sink=server)
    async with service.lifespan():
        await server.down()
        await ask(service, *(f"link{number}@example.com" for number in range(5)), lasts=HOUR)
        await ask(service, *(f"told{number}@example.com" for number in range(5)), event=PasswordTold)
        for _ in range(26):
            await service.worker.drain()
            clock.move(HOUR)
        assert await states(service) == {"due": 5, "expired": 5}
        assert await kept(service) == 5

        await server.up()
        assert await service.worker.drain() == 5

        assert sorted(server.recipients) == [f"told{number}@example.com" for number in range(5)]
        assert await states(service) == {"done": 5, "expired": 5}
        # Nothing private is kept of what is settled.
        assert await kept(service) == 0
        results = service.outbox.lanes["mail"].results
        assert (results["done"], results["expired"], results["deferred"] >= 5 * 12) == (5, 5, True)


async def test_f13_every_fault_of_a_server_ends_in_one_mail_or_the_same_again(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    service = mailing(settings, clock, sink=server)
    server.drops = 3
    server.answers = ["250 OK", "451 4.7.1 later", "250 OK", "452 4.3.1 full", "421 4.3.2 bye"]
    server.refused = {"gone@example.com": "550 5.1.1 unknown"}
    people = [f"p{number}@example.com" for number in range(10)]
    async with service.lifespan():
        await ask(service, *people, "gone@example.com")
        for _ in range(12):
            await service.worker.drain()
            clock.move(HOUR)

        assert await states(service) == {"done": 10, "failed": 1}
        assert set(server.recipients) == set(people)
        # Taken and not acknowledged, so it came again: as the same mail, which its reader can tell.
        assert len(server.times) == 10
        assert sum(server.times.values()) > 10

        # What was refused for good waits for somebody who mends it.
        server.refused = {}
        assert await Letters(service.database, clock).retry_all() == 1
        await service.worker.drain()
        assert await states(service) == {"done": 11}
        assert server.recipients[-1] == "gone@example.com"


async def test_f13_answers_are_the_same_with_and_without_a_mail_server(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    """The request never meets the server: not one connection is opened by it."""

    async def mail(_event: RecordedEvent) -> None:
        raise AssertionError

    service = mailing(settings, clock, Consumer("welcome", {UserRegistered}, mail, "mail"), sink=server)
    bodies = []
    async with service.lifespan(), open_client(service) as client:
        for number, up in enumerate((True, False)):
            await (server.up() if up else server.down())
            account = {"email": f"p{number}@example.com", "password": PASSWORD}
            answer = await client.post("/users/", json=account)
            bodies.append((answer.status_code, sorted(answer.json())))
    assert bodies[0] == bodies[1]
    assert server.connections == 0


async def test_f13_one_slow_recipient_keeps_nobody_waiting(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    """Neither the mail behind it, nor what else listens to events, nor what comes later."""
    heard = asyncio.Event()

    async def hear(_event: RecordedEvent) -> None:
        heard.set()

    others = [f"p{number}@example.com" for number in range(30)]
    service = mailing(settings, clock, Consumer("app", {LinkAsked}, hear), sink=server, concurrency=2)
    server.slow = {"slow@example.com"}
    async with service.lifespan(), asyncio.timeout(30), running(service.worker):
        await ask(service, "slow@example.com", *others)
        await heard.wait()
        for address in others:
            await server.until(address)
        await ask(service, "late@example.com")
        await server.until("late@example.com")
        assert "slow@example.com" not in server.recipients
        server.go.set()
        await server.until("slow@example.com")

    assert set(server.times.values()) == {1}


async def test_k15_a_flood_reaches_an_inbox_a_few_times_and_holds_up_nobody(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    on = settings.model_copy(update={"rate_limits": "on"})
    limits = on.limits.model_copy(update={"mail": 3})
    service = mailing(on.model_copy(update={"limits": limits}), clock, sink=server, concurrency=1)
    async with service.lifespan():
        await ask(service, *["victim@example.com", "Victim@Example.com"] * 100)
        await ask(service, "ada@example.com", "grace@example.com")
        await ask(service, "victim@example.com", event=PasswordTold)
        await service.worker.drain()

        counted = {to: server.recipients.count(to) for to in set(map(str.lower, server.recipients))}
        victims = [to for to in server.recipients if to.lower() == "victim@example.com"]
        assert len(victims) == 3 + 1  # what tells of a changed password is no part of the flood
        assert "password.told" in {str(got["Subject"]) for got in server.got}
        assert counted["ada@example.com"] == counted["grace@example.com"] == 1
        assert await states(service) == {"done": 6, "dropped": 197}
        assert service.outbox.lanes["mail"].results["dropped"] == 197
        assert service.limits.refused["mail"] == 197
        assert await kept(service) == 0


async def test_the_mails_that_wait_go_out_no_faster_than_they_may(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    service = mailing(settings, clock, sink=server, per_second=40)
    loop = asyncio.get_running_loop()
    async with service.lifespan():
        await ask(service, *(f"p{number}@example.com" for number in range(60)))
        began = loop.time()
        assert await service.worker.drain() == 60
        # Forty at once, the other twenty at forty a second.
        assert loop.time() - began > 0.4
    assert len(server.got) == 60


def test_gatepost_takes_the_hosts_own_transport(settings: Settings) -> None:
    class Own:
        async def send(self, mail: Mail) -> None: ...

        async def close(self) -> None: ...

    own = Own()
    assert Gatepost(settings, mail=own).mail is own
