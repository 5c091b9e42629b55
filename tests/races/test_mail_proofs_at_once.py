"""Two processes, shown what went by mail at once: one effect. Twenty rounds in `make soak`."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from tests.ledger import opened
from tests.make import PASSWORD
from tests.processes import serving
from tests.races.conftest import ISSUER, Pair
from tests.races.connections import Answer, Request, at_once

rounds = pytest.mark.parametrize(
    "round_", [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 20))]
)
_numbers = itertools.count(1)
TWENTY = 20


@pytest.fixture(scope="module")
def mailing(empty_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two services whose mail can be read, by whichever of the two it was sent."""
    settings = {
        **ISSUER,
        "GATEPOST_DATABASE_URL": empty_url,
        "GATEPOST_ENVIRONMENT": "test",
        "GATEPOST_TEST_API": "true",
    }
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(serving(tmp_path_factory.mktemp(name), settings)) for name in ("one", "other")
        )
        yield Pair(one, other, empty_url)


class Person:
    """Somebody who has signed in, and reads their mail."""

    def __init__(self, client: httpx2.AsyncClient, email: str) -> None:
        self._client = client
        self._seen: dict[str, str] = {}
        self.email = email
        self.id: UUID
        self.headers: dict[str, str]

    async def join(self) -> None:
        created = await self._client.post("/users/", json={"email": self.email, "password": PASSWORD})
        self.id = UUID(created.json()["id"])
        answer = await self._client.post("/users/token", data={"username": self.email, "password": PASSWORD})
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def ask(self, path: str, **body: str) -> None:
        answer = await self._client.post(path, json=body or None, headers=self.headers)
        assert answer.status_code == 202, answer.text

    async def mail(self, to: str | None = None) -> tuple[str, str]:
        """Return the token of the link and the code of the newest mail."""
        to = to or self.email
        after = {"after": self._seen[to]} if to in self._seen else {}
        found = await self._client.get("/test/mail", params={"to": to, "wait": "20", **after})
        newest = found.json()[0]
        self._seen[to] = newest["id"]
        return httpx2.URL(newest["links"][0]).params["token"], newest["codes"][0]

    async def works(self, password: str) -> bool:
        form = {"username": self.email, "password": password}
        return (await self._client.post("/users/token", data=form)).status_code == 200


@pytest.fixture
async def people(mailing: Pair) -> Any:
    """Makes people."""
    async with httpx2.AsyncClient(base_url=mailing.one.url, timeout=60) as client:

        async def joined() -> Person:
            person = Person(client, f"reader{next(_numbers)}@example.com")
            await person.join()
            return person

        yield joined


async def shown(pair: Pair, path: str, *bodies: dict[str, str]) -> list[Answer]:
    """Show these at once, half of them to each process."""
    servers = itertools.cycle(pair.both)
    asked = [
        Request(server.url, "POST", path, json.dumps(body).encode())
        for server, body in zip(servers, bodies, strict=False)
    ]
    return await at_once(asked)


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def happened(pair: Pair, kind: str, person: Person) -> int:
    async with opened(pair.database_url) as database:
        rows = await database.reads.rows(text(f"SELECT subject FROM events WHERE type = '{kind}'"))
    return sum(UUID(str(row.subject)) == person.id for row in rows if row.subject)


@rounds
async def test_e14_a_code_shown_20_times_at_once_verifies_once(
    mailing: Pair, people: Any, round_: int
) -> None:
    person = await people()
    await person.ask("/users/me/email/verification")
    _, code = await person.mail()

    answers = await shown(mailing, "/email/verify", *[{"email": person.email, "code": code}] * TWENTY)

    assert statuses(answers) == {204: 1, 400: TWENTY - 1}
    assert {answer.body["code"] for answer in answers if answer.body} == {"mail-proof-invalid"}
    assert await happened(mailing, "user.changed", person) == 1


@rounds
async def test_f03_a_reset_shown_20_times_at_once_sets_one_password(
    mailing: Pair, people: Any, round_: int
) -> None:
    person = await people()
    await person.ask("/password/forgot", email=person.email)
    token, code = await person.mail()
    passwords = [f"another-good-one-{number}" for number in range(100, 100 + TWENTY)]
    proofs = itertools.cycle(
        [{"token": token}, {"token": token}, *[{"email": person.email, "code": code}] * 2]
    )

    bodies = [{**proof, "password": each} for proof, each in zip(proofs, passwords, strict=False)]
    answers = await shown(mailing, "/password/reset", *bodies)

    assert statuses(answers) == {204: 1, 400: TWENTY - 1}
    (won,) = [each for each, answer in zip(passwords, answers, strict=True) if answer.status == 204]
    assert [each for each in passwords if await person.works(each)] == [won]
    assert await happened(mailing, "password.changed", person) == 1
    assert not await person.works(PASSWORD)


@rounds
async def test_a09_two_who_confirm_one_address_at_two_processes_get_it_once(
    mailing: Pair, people: Any, round_: int
) -> None:
    wanted = f"wanted{next(_numbers)}@example.com"
    both = [await people(), await people()]
    for person in both:
        await person.ask("/users/me/email", email=wanted)
    # To one address, the newest first.
    async with httpx2.AsyncClient(base_url=mailing.one.url, timeout=60) as client:
        found: list[Any] = []
        while len(found) < 2:
            after = {"after": found[0]["id"]} if found else {}
            newer = await client.get("/test/mail", params={"to": wanted, "wait": "20", **after})
            found = [*newer.json(), *found]
    codes = [mail["codes"][0] for mail in found]

    bodies = [{"email": wanted, "code": code} for code in (*codes, *reversed(codes))] * 5
    answers = await shown(mailing, "/email/verify", *bodies)

    assert statuses(answers) == {204: 1, 400: TWENTY - 1}
    assert sum([await happened(mailing, "user.changed", person) for person in both]) == 1


@rounds
async def test_a09_two_addresses_asked_for_at_two_processes_leave_one_that_works(
    mailing: Pair, people: Any, round_: int
) -> None:
    person = await people()
    emails = [f"{name}{next(_numbers)}@example.com" for name in ("left", "right")]

    async def ask(url: str, email: str) -> int:
        async with httpx2.AsyncClient(base_url=url, headers=person.headers, timeout=60) as client:
            return (await client.post("/users/me/email", json={"email": email})).status_code

    asked = await asyncio.gather(
        *(ask(server.url, email) for server, email in zip(mailing.both, emails, strict=True))
    )
    assert asked == [202, 202]
    codes = [{"email": email, "code": (await person.mail(email))[1]} for email in emails]

    answers = await shown(mailing, "/email/verify", *codes * 10)

    assert statuses(answers) == {204: 1, 400: TWENTY - 1}


@rounds
async def test_f03_a_reset_against_a_change_of_the_password_or_the_address(
    mailing: Pair, people: Any, round_: int
) -> None:
    one, other = mailing.both
    person = await people()
    await person.ask("/password/forgot", email=person.email)
    token, _ = await person.mail()
    by_mail, by_hand = "another-good-one-77", "velvet-compass-31"

    async def change() -> int:
        body = {"password": by_hand, "current_password": PASSWORD}
        async with httpx2.AsyncClient(base_url=other.url, headers=person.headers, timeout=60) as client:
            return (await client.patch("/users/me", json=body)).status_code

    async def reset(token: str) -> int:
        async with httpx2.AsyncClient(base_url=one.url, timeout=60) as client:
            body = {"token": token, "password": by_mail}
            return (await client.post("/password/reset", json=body)).status_code

    was_reset, was_changed = await asyncio.gather(reset(token), change())

    # Whichever came first, the other was about what is no more.
    assert (was_reset == 204) != (was_changed == 200), (was_reset, was_changed)
    assert await person.works(by_mail if was_reset == 204 else by_hand)
    assert await happened(mailing, "password.changed", person) == 1

    # The same with an address: what was sent to the old one is dead once the new one counts, and the other way round.
    mover = await people()
    await mover.ask("/password/forgot", email=mover.email)
    reset_token, _ = await mover.mail()
    new = f"new{next(_numbers)}@example.com"
    await mover.ask("/users/me/email", email=new)
    _, code = await mover.mail(new)
    confirmed, was_reset = await asyncio.gather(
        shown(mailing, "/email/verify", {"email": new, "code": code}), reset(reset_token)
    )
    assert sorted([confirmed[0].status, was_reset]) == [204, 400]
