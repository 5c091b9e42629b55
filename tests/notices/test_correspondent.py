"""Which event sends which letter, to whom, in whose language; and what is sent to nobody."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select

from gatepost import Gatepost
from gatepost.accounts import Accounts, ChangeAccount
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventRow
from gatepost.core.ids import new_id
from gatepost.core.mail.message import Mail
from gatepost.notices import LETTERS, OCCASIONS, BrandOptions, Correspondent, NoticeOptions, Renderer, queries
from tests.make import PASSWORD, Make

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1"
)
HOME, AWAY = "203.0.113.7", "198.51.100.9"


@dataclass(frozen=True)
class Recorded:
    """An event as the outbox hands it over."""

    id: UUID
    type: str
    at: datetime
    subject: UUID | None
    actor: UUID | None
    data: Mapping[str, Any]
    delivery: UUID = field(default_factory=new_id)
    private: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


class Post:
    """Hands the events that were recorded to a correspondent; keeps what it sends."""

    def __init__(self, gatepost: Gatepost, **options: Any) -> None:
        self._gatepost = gatepost
        self._seen: set[UUID] = set()
        self.sent: list[Mail] = []
        chosen = NoticeOptions(**options)
        renderer = Renderer(BrandOptions(), chosen)
        self.correspondent = Correspondent(
            gatepost.database.reads, renderer, self._keep, gatepost.clock, chosen
        )

    async def _keep(self, mail: Mail) -> None:
        self.sent.append(mail)

    async def kinds(self, **more: Any) -> list[str]:
        """Deliver what happened since the last time; return which letters that sent."""
        self.sent.clear()
        heard = {event.type for event in self.correspondent.events}
        rows = await self._gatepost.database.reads.rows(select(*EventRow.__table__.columns).order_by("id"))
        for row in rows:
            if row.id not in self._seen and row.type in heard:
                event = Recorded(row.id, row.type, row.at, row.subject, row.actor, row.data, **more)
                await self.correspondent.run(event)
            self._seen.add(row.id)
        return [mail.kind for mail in self.sent]


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


@pytest.fixture
async def ada(gatepost: Gatepost) -> AsyncIterator["Browser"]:
    """Somebody who has signed up with a browser that asks for German."""
    browser = Browser(gatepost, "ada@example.com")
    new = {"email": browser.email, "password": PASSWORD, "name": "Ada Lovelace"}
    answer = await browser.at(HOME).post("/users/", json=new, headers={"Accept-Language": "de-AT,en;q=0.5"})
    assert answer.status_code == 200
    assert answer.json()["locale"] == "de-AT"
    browser.id = UUID(answer.json()["id"])
    yield browser
    for client in browser.clients.values():
        await client.aclose()


class Browser:
    """Somebody's browsers, at several addresses."""

    def __init__(self, gatepost: Gatepost, email: str) -> None:
        self._gatepost = gatepost
        self.email = email
        self.id: UUID
        self.clients: dict[str, AsyncClient] = {}

    def at(self, address: str) -> AsyncClient:
        if address not in self.clients:
            transport = ASGITransport(app=self._gatepost.app, client=(address, 1234))
            self.clients[address] = AsyncClient(transport=transport, base_url="http://gatepost.test")
        return self.clients[address]

    async def sign_in(self, address: str = HOME, agent: str = FIREFOX) -> dict[str, str]:
        form = {"username": self.email, "password": PASSWORD}
        answer = await self.at(address).post("/users/token", data=form, headers={"User-Agent": agent})
        assert answer.status_code == 200
        return {"Authorization": f"Bearer {answer.json()['access_token']}", "User-Agent": agent}


async def test_sign_ins_from_what_was_not_seen_before_are_told(
    post: Post, ada: Browser, clock: MovableClock
) -> None:
    await ada.sign_in()
    assert await post.kinds() == []  # it is the browser she has just signed up with

    clock.move(timedelta(hours=1))
    await ada.sign_in(agent=SAFARI)
    assert await post.kinds() == ["new_device"]
    (mail,) = post.sent
    assert (mail.to, mail.language) == ("ada@example.com", "de")
    assert mail.subject == "Neue Anmeldung in Ihrem Konto"
    assert "Guten Tag Ada Lovelace!" in mail.text
    assert "Safari on iPhone" in mail.text
    assert "203.0.113.0/24" in mail.text
    assert HOME not in mail.text + mail.html

    await ada.sign_in(AWAY, FIREFOX)
    assert await post.kinds() == ["new_device"]
    assert "198.51.100.0/24" in post.sent[0].text

    await ada.sign_in(AWAY, SAFARI)  # each was seen before
    await ada.sign_in()
    assert await post.kinds() == []


async def test_a_first_sign_in_long_after_signing_up_is_told(
    post: Post, ada: Browser, clock: MovableClock
) -> None:
    clock.move(timedelta(days=2))
    await ada.sign_in()
    assert await post.kinds() == ["new_device"]


async def test_what_somebody_turned_off_is_not_sent_and_credentials_cannot_be(
    gatepost: Gatepost, post: Post, ada: Browser
) -> None:
    me = await ada.sign_in()
    answer = await ada.at(HOME).put("/users/me/notices", json={"muted": ["new_device"]}, headers=me)
    assert answer.status_code == 200
    await ada.sign_in(agent=SAFARI)
    assert await post.kinds() == []
    answer = await ada.at(HOME).put("/users/me/notices", json={"muted": []}, headers=me)
    await ada.sign_in(AWAY)
    assert await post.kinds() == ["new_device"]

    quiet = Post(gatepost, muted=["new_device", "sessions_ended_by_reuse"])
    change = {"password": "another-lighthouse-43", "current_password": PASSWORD}
    assert (await ada.at(HOME).patch("/users/me", json=change, headers=me)).status_code == 200
    assert await quiet.kinds() == ["password_changed"]


async def test_a_new_password_is_told_with_who_set_it(
    gatepost: Gatepost, post: Post, make: Make, ada: Browser
) -> None:
    me = await ada.sign_in()
    await post.kinds()
    change = {"password": "another-lighthouse-43", "current_password": PASSWORD}
    answer = await ada.at(HOME).patch("/users/me", json=change | {"locale": "fr"}, headers=me)
    assert answer.json()["locale"] == "fr"
    assert await post.kinds() == ["password_changed"]
    own = post.sent[0].text
    assert "Firefox on Linux" in own
    assert "203.0.113.0/24" in own
    assert "Un administrateur" not in own
    assert "Si ce n’était pas vous" in own

    admin = await make.signed_in(await make.administrator())
    await post.kinds()
    change = {"password": "a-third-lighthouse-44", "locale": None}
    answer = await ada.at(AWAY).patch(f"/users/{ada.id}", json=change, headers=admin.headers)
    assert answer.json()["locale"] is None
    assert await post.kinds() == ["password_changed"]
    theirs = post.sent[0]
    assert theirs.language == "en"  # she wants none any more, so she gets the service's own
    assert "An administrator set a new password" in theirs.text
    assert "198.51.100" not in theirs.text  # where the administrator sits

    by_command = ChangeAccount(password="a-fourth-lighthouse-45")
    await gatepost.run(lambda work: gatepost.build(Accounts, work).change(ada.id, by_command))
    assert await post.kinds() == ["password_changed"]
    assert "An administrator set a new password" in post.sent[0].text
    rows = await gatepost.database.reads.rows(
        select(EventRow.data).where(EventRow.type == "password.changed").order_by(EventRow.id)
    )
    assert [row.data["by"] for row in rows] == ["owner", "administrator", "operator"]


async def test_a_family_ended_by_reuse_is_told(post: Post, make: Make) -> None:
    person = await make.signed_in()
    await make.refresh(person.refresh_token)
    await make.reuse(person.refresh_token)
    assert await post.kinds() == ["sessions_ended_by_reuse"]
    assert post.sent[0].to == person.person.email


async def test_who_is_gone_is_told_where_the_event_says(
    post: Post, ada: Browser, clock: MovableClock
) -> None:
    me = await ada.sign_in()
    change = {"email": "ada@new.example"}
    assert (await ada.at(HOME).patch("/users/me", json=change, headers=me)).status_code == 200
    assert await post.kinds() == []  # nobody says where the notice to the old address should go
    assert (await ada.at(HOME).delete("/users/me", headers=me)).status_code == 204
    assert await post.kinds() == []
    private = {"to": "old@example.com", "name": "Ada", "locale": "es"}

    told = Post(post._gatepost)
    assert await told.kinds(private=private) == ["email_changed", "account_deleted"]
    assert {mail.to for mail in told.sent} == {"old@example.com"}
    assert told.sent[1].subject == "Tu cuenta se ha eliminado"
    undo = private | {"undo_link": "https://auth.example.com/undo?token=abc"}
    again = Post(post._gatepost)
    await again.kinds(private=undo)
    assert undo["undo_link"] in again.sent[0].text

    # What comes too late is sent to nobody.
    late = Post(post._gatepost)
    assert await late.kinds(private=private, expires_at=clock.now()) == []
    clock.move(LETTERS["account_deleted"].lifetime)
    assert await late.kinds(private=private) == []
    assert await Post(post._gatepost).kinds(private=private) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_earlier_sign_ins_are_found_by_the_person(gatepost: Gatepost) -> None:
    filled = queries.EARLIER.params(user_id=new_id(), session_id=new_id())
    compiled = filled.compile(gatepost.database.engine, compile_kwargs={"literal_binds": True})
    async with gatepost.database.engine.connect() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")).all()
    assert "ix_sessions_user_id_ended_at" in str(plan[0])


async def test_a_repeated_delivery_is_the_same_mail(gatepost: Gatepost, post: Post, ada: Browser) -> None:
    await ada.sign_in()
    await ada.sign_in(agent=SAFARI)
    delivery = new_id()
    assert await post.kinds(delivery=delivery) == ["new_device"]
    (first,) = post.sent
    again = Post(gatepost)
    assert await again.kinds(delivery=delivery) == ["new_device"]
    assert again.sent == [first]
    assert first.id == delivery


def test_every_occasion_has_its_letter() -> None:
    assert {occasion.letter for occasion in OCCASIONS.values()} <= LETTERS.keys()
    assert all(OCCASIONS[event_type].event.type == event_type for event_type in OCCASIONS)
