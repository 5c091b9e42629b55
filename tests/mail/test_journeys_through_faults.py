"""F13 from end to end: people sign up and reset their passwords while the mail server fails in every way."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.users import User
from tests.conftest import open_client
from tests.mail.journeys import mailing, states
from tests.mail.sink import Sink, sink
from tests.make import PASSWORD
from tests.post import by_hand

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEW = "another-good-one-77"
_TOKEN = re.compile(r"gp_ml_[\w-]+")
_CODE = re.compile(r"\b\d{6}\b")


@pytest.fixture
async def server() -> AsyncIterator[Sink]:
    async with sink() as up:
        yield up


async def away(server: Sink) -> None:
    await server.down()


async def silent(server: Sink) -> None:
    server.slow = {"silent@example.com"}


async def cuts(server: Sink) -> None:
    server.drops = 2


async def greylists(server: Sink) -> None:
    server.answers = ["451 4.7.1 greylisted"] * 3


async def busy(server: Sink) -> None:
    server.refused = {"busy@example.com": "450 4.2.0 busy"}


async def unknown(server: Sink) -> None:
    server.refused = {"unknown@example.com": "550 5.1.1 unknown"}


FAULTS: dict[str, Callable[[Sink], Awaitable[None]]] = {
    "away": away,
    "silent": silent,
    "cuts": cuts,
    "greylists": greylists,
    "busy": busy,
    "unknown": unknown,
}


async def mended(server: Sink) -> None:
    await server.up()
    server.slow, server.refused, server.answers, server.drops = set(), {}, [], 0
    server.go.set()


async def ask(client: AsyncClient, email: str) -> object:
    """Sign up, and ask for a new password; return what anybody sees of the answers."""
    signed_up = await client.post("/users/", json={"email": email, "password": PASSWORD})
    forgot = await client.post("/password/forgot", json={"email": email})
    body = dict.fromkeys(signed_up.json(), "*") if signed_up.content else {}
    return (signed_up.status_code, body, forgot.status_code, forgot.content)


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return part.get_content()


def said(mail: EmailMessage) -> tuple[str, ...]:
    return (str(mail["To"]), str(mail["Subject"]), *(part.get_content() for part in mail.iter_parts()))


def got(server: Sink, email: str, kind: str) -> list[EmailMessage]:
    return [mail for mail in server.got if mail["To"] == email and mail["X-Gatepost-Kind"] == kind]


async def test_f13_people_sign_up_and_reset_through_every_fault_and_each_mail_arrives(
    settings: Settings, clock: MovableClock, server: Sink
) -> None:
    chosen = by_hand(settings, email_verification="encouraged")
    service = mailing(chosen, clock, sink=server, timeout=2, command_timeout=1)
    async with service.lifespan(), open_client(service) as client:
        usual = await ask(client, "usual@example.com")
        await service.worker.drain()
        for name, begin in FAULTS.items():
            email = f"{name}@example.com"
            await begin(server)
            assert await ask(client, email) == usual, email
            await service.worker.drain()
            await mended(server)
            server.go.clear()
            for _ in range(5):
                clock.move(MINUTE)
                await service.worker.drain()
            if name == "unknown":
                # Given up at once, until somebody looks after it.
                assert not got(server, email, "verify_email")
                continue
            await nothing_was_lost(client, server, email)

        await a_day_without(service, client, clock, server)

        row = await service.database.reads.first(select(func.count(User.id).label("people")))
        reached = {mail["To"] for mail in server.got if mail["X-Gatepost-Kind"] == "verify_email"}
        assert row is not None
        # All but the one whom the server does not know, and the one whose link ended meanwhile.
        assert len(reached) == row.people - 2 == len(FAULTS)
        # What came twice is the same mail; the server took it, and could not say so.
        again = {name for name, times in server.times.items() if times > 1}
        assert len(again) == 2
        for name in again:
            assert len({said(mail) for mail in server.got if mail["Message-ID"] == name}) == 1
        assert (await states(service))["failed"] == 2


async def nothing_was_lost(client: AsyncClient, server: Sink, email: str) -> None:
    """Both mails have come, in time: the code of the one works, and the link of the other."""
    verify, reset = got(server, email, "verify_email"), got(server, email, "reset_password")
    assert verify, email
    assert reset, email
    code, token = _CODE.findall(text_of(verify[-1]))[0], _TOKEN.findall(text_of(reset[-1]))[0]
    shown = await client.post("/email/verify", json={"email": email, "code": code})
    assert shown.status_code == 204, email
    done = await client.post("/password/reset", json={"token": token, "password": NEW})
    assert done.status_code == 204, email


async def a_day_without(service: Gatepost, client: AsyncClient, clock: MovableClock, server: Sink) -> None:
    """What ended meanwhile is not sent any more; who asks again gets it."""
    await server.down()
    email = "patient@example.com"
    await ask(client, email)
    for _ in range(25):
        await service.worker.drain()
        clock.move(HOUR)
    await server.up()
    await service.worker.drain()
    assert email not in server.recipients
    assert (await states(service))["expired"] == 2
    await client.post("/password/forgot", json={"email": email})
    await service.worker.drain()
    assert [mail["X-Gatepost-Kind"] for mail in server.got if mail["To"] == email] == ["reset_password"]
