"""The inbox over HTTP: what a transport puts there is what a test reads."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.testing import Inbox

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str = "Hello"
    text: str = ""
    html: str | None = None


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON)


@pytest.fixture
def inbox(gatepost: Gatepost) -> Inbox:
    assert gatepost.testing is not None
    return gatepost.testing.inbox


async def mail(client: AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get("/test/mail", params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_message_is_shown_with_what_to_click_and_to_type(client: AsyncClient, inbox: Inbox) -> None:
    text = "Confirm: https://app.example.com/confirm?token=abc.\nOr type 493 201."
    html = '<p><a href="https://app.example.com/confirm?token=abc">Confirm</a> or type <b>493 201</b></p>'
    await client.post("/test/clock", json={"advance": "P1D"})
    put = await inbox.put(Letter("Ada@Example.com", "Confirm your address", text, html))

    assert await mail(client) == [
        {
            "id": str(put),
            "to": "Ada@Example.com",
            "subject": "Confirm your address",
            "text": text,
            "html": html,
            "sent_at": "2030-01-02T12:00:00Z",
            "links": ["https://app.example.com/confirm?token=abc"],
            "codes": ["493201"],
        }
    ]


async def test_mail_is_found_by_every_spelling_of_its_address(client: AsyncClient, inbox: Inbox) -> None:
    await inbox.put(Letter("Ada@Example.com"))
    await inbox.put(Letter("eve@example.com"))
    await inbox.put(Letter("not an address"))
    for spelling in ("ada@example.com", "ADA@EXAMPLE.COM", "\uff21da@example.com"):
        assert [each["to"] for each in await mail(client, to=spelling)] == ["Ada@Example.com"]
    assert [each["to"] for each in await mail(client, to="not an address")] == ["not an address"]
    assert await mail(client, to="nobody@example.com") == []
    assert len(await mail(client)) == 3


async def test_the_newest_comes_first_and_a_hundred_at_most(client: AsyncClient, inbox: Inbox) -> None:
    ids = [str(await inbox.put(Letter("ada@example.com", str(number)))) for number in range(103)]
    # Back in time, and still behind the others.
    await client.post("/test/clock", json={"reset": True})
    ids.append(str(await inbox.put(Letter("ada@example.com", "last"))))

    assert [each["id"] for each in await mail(client)] == ids[:-101:-1]
    assert [each["subject"] for each in await mail(client, after=ids[-3])] == ["last", "102"]
    assert await mail(client, after=ids[-1]) == []


async def test_who_waits_gets_mail_as_soon_as_it_comes(client: AsyncClient, inbox: Inbox) -> None:
    old = await inbox.put(Letter("ada@example.com", "old"))
    waiting = asyncio.create_task(mail(client, to="ada@example.com", after=str(old), wait=20))
    await inbox.put(Letter("eve@example.com"))
    await inbox.put(Letter("ada@example.com", "new"))
    async with asyncio.timeout(10):
        assert [each["subject"] for each in await waiting] == ["new"]
    assert await mail(client, to="nobody@example.com", wait=0.1) == []


async def test_emptying_deletes_one_persons_mail_or_all(client: AsyncClient, inbox: Inbox) -> None:
    for to in ("ada@example.com", "ada@example.com", "eve@example.com", "bob@example.com"):
        await inbox.put(Letter(to))
    assert (await client.delete("/test/mail", params={"to": "ADA@example.com"})).status_code == 204
    assert [each["to"] for each in await mail(client)] == ["bob@example.com", "eve@example.com"]
    assert (await client.delete("/test/mail")).status_code == 204
    assert await mail(client) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"wait": -1},
        {"wait": 21},
        {"wait": "nan"},
        {"after": "x"},
        {"to": "a\0b"},
        {"to": "a" * 321},
        {"from": "x"},
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(client: AsyncClient, wanted: dict[str, Any]) -> None:
    answer = await client.get("/test/mail", params=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_nothing_is_deleted_for_a_name_that_is_not_known(client: AsyncClient, inbox: Inbox) -> None:
    """A misspelt filter must not empty the whole inbox."""
    await inbox.put(Letter("ada@example.com"))
    for wanted in ({"too": "ada@example.com"}, {"to": "a\0b"}):
        assert (await client.delete("/test/mail", params=wanted)).status_code == 422
    assert len(await mail(client)) == 1
