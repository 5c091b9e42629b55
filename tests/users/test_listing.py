"""Lists of people: every one of them, once, however small the pages."""

import random
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.users import NewProfile, ProfileChange, Users
from tests.make import Make, SignedIn


@pytest.fixture
async def administrator(make: Make) -> SignedIn:
    return await make.signed_in(await make.administrator("zz.admin@example.com"))


async def add(gatepost: Gatepost, *emails: str, active: bool = True) -> None:
    """Add people without passwords, which is quick."""
    async with gatepost.work() as work:
        users = gatepost.build(Users, work)
        for email in emails:
            user = await users.add(NewProfile(email=email), by="test")
            if not active:
                await users.change(user, ProfileChange(is_active=False))


async def page(client: AsyncClient, me: SignedIn, **query: Any) -> dict[str, Any]:
    answer = await client.get("/users/", params=query, headers=me.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def walk(client: AsyncClient, me: SignedIn, between: Any = None, **query: Any) -> list[str]:
    """Return the addresses of all pages in their order."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        got = await page(client, me, **query, **cursor)
        assert len(got["items"]) <= query["limit"]
        assert got["items"] or got["next"] is None
        found += [item["email"] for item in got["items"]]
        if got["next"] is None:
            return found
        assert len(got["items"]) == query["limit"]
        cursor = {"cursor": got["next"]}
        if between is not None:
            await between()


QUERIES: list[dict[str, Any]] = [{}, {"q": "p"}, {"is_active": True}, {"q": "P", "is_active": False}]


async def test_each_person_is_listed_once_while_others_join(
    client: AsyncClient, gatepost: Gatepost, administrator: SignedIn
) -> None:
    dice = random.Random(1)
    people = {administrator.person.email: True}

    async def join() -> None:
        email, active = f"{dice.choice('opq')}{dice.randrange(10**9)}@example.com", dice.random() < 0.6
        people[email] = active
        await add(gatepost, email, active=active)

    for _ in range(8):
        await join()
    for limit in (1, 2, 3, 5, 8, 200):
        for query in QUERIES:
            there = [
                email
                for email, active in people.items()
                if email.startswith(query.get("q", "").casefold())
                and query.get("is_active") in {None, active}
            ]
            found = await walk(
                client, administrator, join if dice.random() < 0.3 else None, limit=limit, **query
            )

            assert len(found) == len(set(found)), (limit, query)
            assert set(there) <= set(found) <= people.keys(), (limit, query)
            if "q" in query:
                assert found == sorted(found)
            else:
                assert found == [email for email in reversed(people) if email in there]


async def test_those_who_joined_in_one_instant_are_told_apart(
    client: AsyncClient, gatepost: Gatepost, administrator: SignedIn
) -> None:
    """The clock stands still, so all rows have one time; their ids decide."""
    names = [f"p{number}@example.com" for number in range(7)]
    await add(gatepost, *names)

    assert await walk(client, administrator, limit=2) == [*reversed(names), administrator.person.email]


async def test_filters_by_time_and_address(
    client: AsyncClient, gatepost: Gatepost, administrator: SignedIn, clock: MovableClock
) -> None:
    clock.move(timedelta(minutes=1))
    since = clock.now().isoformat()
    await add(gatepost, "new@example.com", "zoë@example.com")
    clock.move(timedelta(minutes=1))
    until = clock.now().isoformat()
    await add(gatepost, "newer@example.com")

    async def found(**query: Any) -> list[str]:
        return [item["email"] for item in (await page(client, administrator, **query))["items"]]

    assert await found(created_after=since, created_before=until) == ["zoë@example.com", "new@example.com"]
    assert await found(created_after=until) == ["newer@example.com"]
    assert await found(email="ZOE\u0308@EXAMPLE.com") == ["zoë@example.com"]
    assert await found(email="nobody@example.com") == []
    assert await found(q="new") == ["new@example.com", "newer@example.com"]
    assert await found(q="NEW@Exam") == ["new@example.com"]
    assert await found(q="ZOË") == ["zoë@example.com"]
    assert await found(q="%") == []
    assert await found(q="_") == []


async def test_a_cursor_belongs_to_its_list(
    client: AsyncClient, gatepost: Gatepost, administrator: SignedIn
) -> None:
    await add(gatepost, "p1@example.com", "p2@example.com", "p3@example.com")
    cursor = (await page(client, administrator, limit=1, q="p"))["next"]
    assert (await page(client, administrator, limit=2, q="p", cursor=cursor))["next"] is None

    for query in (
        {"cursor": cursor},
        {"cursor": cursor, "q": "p1"},
        {"cursor": cursor, "q": "p", "is_active": True},
        {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "q": "p"},
        {"cursor": "garbage", "q": "p"},
    ):
        answer = await client.get("/users/", params=query, headers=administrator.headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor-invalid")
        assert answer.json()["errors"][0]["field"] == "query.cursor"


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "query.limit"),
    ({"limit": 201}, "query.limit"),
    ({"limit": "all"}, "query.limit"),
    ({"email": "nothing"}, "query.email"),
    ({"created_after": "yesterday"}, "query.created_after"),
    ({"created_after": "2030-01-01T00:00:00"}, "query.created_after"),
    ({"created_after": "0001-01-01T00:00:00+14:00"}, "query.created_after"),
    ({"created_before": "9999-12-31T23:59:59-12:00"}, "query.created_before"),
    ({"q": ""}, "query.q"),
    ({"q": "a\0"}, "query.q"),
    ({"colour": "red"}, "query.colour"),
]


async def test_a_query_that_makes_no_sense_is_refused_by_name(
    client: AsyncClient, administrator: SignedIn
) -> None:
    for query, field in NONSENSE:
        answer = await client.get("/users/", params=query, headers=administrator.headers)

        assert answer.status_code == 422, query
        assert [item["field"] for item in answer.json()["errors"]] == [field]
