"""The list of ended sessions that other services read: signed, whole, in pages, and with nobody's data in it."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.sessions import EndReason, Sessions
from gatepost.tokens import revoked as revoked_module
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.security.operations import no_database_matters

PATH = "/sessions/revoked"


def sid(me: SignedIn) -> str:
    return jwt.decode(me.access_token, options={"verify_signature": False})["sid"]


async def read(client: AsyncClient, after: str | None = None) -> dict[str, Any]:
    """Return what the list says, verified by a second library."""
    answer = await client.get(PATH, params={} if after is None else {"after": after})
    assert answer.status_code == 200, answer.text
    return await claims(client, answer)


async def claims(client: AsyncClient, answer: Response) -> dict[str, Any]:
    header = jwt.get_unverified_header(answer.text)
    assert header.keys() == {"alg", "typ", "kid"}
    assert header["typ"] == "revoked-sessions+jwt"
    keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
    return jwt.decode(answer.text, keys[header["kid"]], algorithms=["ES256"], options={"verify_iat": False})


async def walk(client: AsyncClient, after: str | None = None) -> tuple[list[str], str]:
    """Return all sessions behind a position, and the position to go on from."""
    page = await read(client, after)
    found = page["sessions"]
    while page["more"]:
        page = await read(client, page["next"])
        found += page["sessions"]
    return found, page["next"]


async def sign_out(client: AsyncClient, me: SignedIn) -> None:
    assert (await client.post("/users/logout", headers=me.headers)).status_code == 204


async def by_sign_out(client: AsyncClient, _make: Make, me: SignedIn) -> None:
    await sign_out(client, me)


async def by_reuse(_client: AsyncClient, make: Make, me: SignedIn) -> None:
    assert (await make.refresh(me.refresh_token)).status_code == 200
    assert (await make.reuse(me.refresh_token)).status_code == 400


async def by_own_deletion(client: AsyncClient, _make: Make, me: SignedIn) -> None:
    assert (await client.delete("/users/me", headers=me.headers)).status_code == 204


async def by_an_administrators_deletion(client: AsyncClient, make: Make, me: SignedIn) -> None:
    root = await make.signed_in(await make.administrator())
    answer = await client.delete(f"/users/{me.person.id}", headers=root.headers)
    assert answer.status_code == 204


async def by_disabling(client: AsyncClient, make: Make, me: SignedIn) -> None:
    root = await make.signed_in(await make.administrator())
    path, change = f"/users/{me.person.id}", {"is_active": False}
    assert (await client.patch(path, json=change, headers=root.headers)).status_code == 200


async def by_a_new_password(client: AsyncClient, make: Make, me: SignedIn) -> None:
    other = await make.signed_in(me.person)
    change = {"password": "harvest-lantern-58", "current_password": PASSWORD}
    assert (await client.patch("/users/me", json=change, headers=other.headers)).status_code == 200


ENDS = [
    by_sign_out,
    by_reuse,
    by_own_deletion,
    by_an_administrators_deletion,
    by_disabling,
    by_a_new_password,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_a_session_is_listed_however_it_ended(client: AsyncClient, make: Make, end: Any) -> None:
    stays, me = await make.signed_in(), await make.signed_in()
    assert (await read(client))["sessions"] == []

    await end(client, make, me)

    listed = (await read(client))["sessions"]
    assert listed == [sid(me)]
    assert sid(stays) not in listed


async def test_deleting_somebody_tells_consumers_of_every_session_that_ended(
    client: AsyncClient, gatepost: Gatepost, make: Make
) -> None:
    me = await make.signed_in()
    other = await make.signed_in(me.person)

    await by_own_deletion(client, make, me)

    assert set((await read(client))["sessions"]) == {sid(me), sid(other)}


async def test_the_list_says_who_made_it_when_and_how_long_to_keep_it(
    client: AsyncClient, make: Make, settings: Settings, clock: MovableClock
) -> None:
    me = await make.signed_in()
    await sign_out(client, me)

    said = await read(client)

    now = clock.now().timestamp()
    assert said.keys() == {"iss", "iat", "sessions", "next", "more", "complete_since", "keep", "kids"}
    assert said["iss"] == settings.issuer
    assert now - 2 <= said["iat"] <= now
    assert said["keep"] == 900 + 300
    assert now - 1202 <= said["complete_since"] <= now - 1199
    assert said["kids"] == [jwt.get_unverified_header(me.access_token)["kid"]]
    assert said["more"] is False
    # The whole answer holds ids of sessions, and nothing of the person.
    assert str(me.person.id) not in str(said)
    assert me.person.email not in str(said)


async def test_what_ended_longer_ago_than_a_token_lives_is_left_out(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    early = await make.signed_in()
    await sign_out(client, early)
    clock.move(timedelta(minutes=19))
    late = await make.signed_in()
    await sign_out(client, late)
    assert (await read(client))["sessions"] == [sid(early), sid(late)]

    clock.move(timedelta(minutes=2))

    said = await read(client)
    assert said["sessions"] == [sid(late)]
    # A reader that was away for longer is told from when on the list is whole.
    away = await read(client, after="0")
    assert (away["sessions"], away["complete_since"]) == ([sid(late)], said["complete_since"])


async def test_a_reader_goes_on_where_it_was_and_reads_a_little_again(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    first = await make.signed_in()
    await sign_out(client, first)
    listed, position = await walk(client)
    assert listed == [sid(first)]

    assert (await walk(client, position))[0] == [sid(first)]  # it ended within the last seconds
    clock.move(timedelta(minutes=1))
    _, position = await walk(client, position)
    second = await make.signed_in()
    await sign_out(client, second)

    listed, _ = await walk(client, position)
    assert listed == [sid(second)]
    assert (await read(client, position))["complete_since"] == math.ceil(int(position) / 1e6)


# SQLite has one writer: what is committed there is in order.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_is_committed_out_of_order_is_not_missed(
    client: AsyncClient, gatepost: Gatepost, make: Make, clock: MovableClock
) -> None:
    """A host keeps its transaction open, others end their sessions and are read, and then the host commits."""
    slow, quick = await make.signed_in(), await make.signed_in()
    async with AsyncSession(gatepost.database.engine) as session:
        async with gatepost.work(session) as work:
            await gatepost.build(Sessions, work).end_all(slow.person.id, EndReason.SIGNED_OUT)
        clock.move(timedelta(seconds=20))
        await sign_out(client, quick)
        listed, position = await walk(client)
        assert listed == [sid(quick)]
        await session.commit()

    listed, _ = await walk(client, position)
    assert listed == [sid(slow), sid(quick)]


async def test_what_is_committed_between_two_pages_is_not_missed(
    client: AsyncClient, gatepost: Gatepost, make: Make, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoked_module, "PAGE", 2)
    people = [await make.signed_in() for _ in range(5)]
    for me in people[:4]:
        await sign_out(client, me)
        clock.move(timedelta(seconds=1))
    page = await read(client)
    assert (page["more"], page["sessions"]) == (True, [sid(me) for me in people[:2]])

    # The reader takes a break of minutes in the middle of its walk.
    clock.move(timedelta(minutes=5))
    await sign_out(client, people[4])
    clock.move(timedelta(minutes=5))
    rest, position = await walk(client, page["next"])
    again, _ = await walk(client, position)

    assert rest == [sid(me) for me in people[2:]]
    # It goes on from where the walk began, not from where it ended.
    assert sid(people[4]) in again


async def test_many_that_end_in_one_moment_are_read_in_pages_each_once(
    client: AsyncClient, gatepost: Gatepost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoked_module, "PAGE", 3)
    me = await make.signed_in()
    others = [await make.signed_in(me.person) for _ in range(9)]

    await by_own_deletion(client, make, me)

    listed, _ = await walk(client)
    assert sorted(listed) == sorted(sid(each) for each in (me, *others))


async def test_lists_of_one_moment_are_the_same_and_have_a_tag(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    clock.move(timedelta(seconds=2 - clock.now().timestamp() % 2))
    first = await client.get(PATH)
    clock.move(timedelta(seconds=1.9))
    second = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    me = await make.signed_in()
    await sign_out(client, me)
    third = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "public, max-age=1"
    assert first.headers["content-type"] == "application/revoked-sessions+jwt"
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["cache-control"] == "public, max-age=1"
    assert (third.status_code, (await claims(client, third))["sessions"]) == (200, [sid(me)])


async def test_what_was_signed_is_kept_for_a_few_lists_only(
    client: AsyncClient, gatepost: Gatepost, clock: MovableClock
) -> None:
    for _ in range(100):
        clock.move(timedelta(seconds=2))
        await read(client)
    assert len(gatepost.revoked._signed) <= 32


ODD = [
    "",
    " ",
    "x",
    "-1",
    "1e9",
    "1.0",
    "9" * 18,
    "٣",
    "1.zz.1",
    f"1.{'0' * 32}.",
    f"1.{'0' * 32}.{'9' * 18}",
]
ODD += ["\x00", "1\n", "' OR 1=1 --", "9" * 80]


@no_database_matters
@pytest.mark.parametrize("after", ODD)
async def test_a_position_that_no_list_gave_out_is_refused(client: AsyncClient, after: str) -> None:
    answer = await client.get(PATH, params={"after": after})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_position_in_the_future_leads_back_to_now(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    await sign_out(client, me)

    ahead = await read(client, after="9" * 17)

    assert (ahead["sessions"], ahead["more"]) == ([], False)
    assert ahead["complete_since"] > clock.now().timestamp()
    assert (await walk(client, ahead["next"]))[0] == [sid(me)]


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_the_list_is_signed_like_the_tokens(database_url: str, tmp_path: Path, algorithm: str) -> None:
    settings = make_settings(database_url, tmp_path, tokens={"algorithm": algorithm})
    async with serving(settings) as client:
        answer = await client.get(PATH)
        keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())

    header = jwt.get_unverified_header(answer.text)
    key = keys[header["kid"]]
    said = jwt.decode(answer.text, key, algorithms=[algorithm], options={"verify_iat": False})
    assert header["alg"] == algorithm
    assert header["kid"] in said["kids"]
    assert set(said["kids"]) == {each.key_id for each in keys.keys}


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[AsyncClient]:
    service = Gatepost(settings)
    async with service.lifespan(), open_client(service) as client:
        yield client


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_without_its_database_the_list_is_not_to_be_had(database_url: str, tmp_path: Path) -> None:
    """Nobody must take a list for whole that could not be read."""
    settings = make_settings(database_url, tmp_path, database={"lock_timeout": 0.1})
    service = Gatepost(settings)
    async with service.lifespan(), open_client(service) as client:
        async with service.database.engine.begin() as blocking:
            await blocking.execute(text("LOCK TABLE events"))
            answer = await client.get(PATH)
        again = await client.get(PATH)
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert again.status_code == 200
