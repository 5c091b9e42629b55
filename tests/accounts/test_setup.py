"""The first administrator: one code, one use, one day."""

import asyncio
from datetime import timedelta

import pytest
from httpx2 import AsyncClient, Response

from gatepost import Gatepost
from gatepost.accounts import Setup
from gatepost.core.clock import MovableClock
from gatepost.core.secrets import new_token
from gatepost.users import Users
from tests.make import PASSWORD, Make


async def new_code(gatepost: Gatepost) -> str | None:
    async with gatepost.work() as work:
        return await gatepost.build(Setup, work).new_code()


async def complete(client: AsyncClient, code: str | None, email: str = "root@example.com") -> Response:
    return await client.post("/setup", json={"code": code, "email": email, "password": PASSWORD})


def refused(answer: Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (403, "setup-refused")


async def test_a_code_that_is_not_ours_is_refused_before_anything_is_hashed(
    client: AsyncClient, gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_password: str) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(gatepost.hashing, "hash", never)

    assert refused(await complete(client, new_token("setup")))


async def test_a_code_makes_one_administrator_and_then_there_are_no_codes(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    code = await new_code(gatepost)

    assert (await complete(client, code)).status_code == 200

    assert refused(await complete(client, code, "eve@example.com"))
    assert await new_code(gatepost) is None


async def test_of_many_who_use_the_code_at_once_one_is_let_in(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    code = await new_code(gatepost)

    answers = await asyncio.gather(*(complete(client, code, f"p{number}@example.com") for number in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 7


async def test_a_new_code_replaces_the_one_before(client: AsyncClient, gatepost: Gatepost) -> None:
    before, after = await new_code(gatepost), await new_code(gatepost)

    assert refused(await complete(client, before))
    assert (await complete(client, after)).status_code == 200


async def test_a_code_ends_after_a_day(client: AsyncClient, gatepost: Gatepost, clock: MovableClock) -> None:
    code = await new_code(gatepost)
    clock.move(timedelta(hours=24))

    assert refused(await complete(client, code))


async def test_no_other_code_will_do(client: AsyncClient, gatepost: Gatepost) -> None:
    assert refused(await complete(client, new_token("setup")))
    await new_code(gatepost)

    for code in (new_token("setup"), new_token("rt"), "guess", ""):
        assert refused(await complete(client, code))


async def test_a_code_is_not_spent_by_a_refusal(client: AsyncClient, gatepost: Gatepost, make: Make) -> None:
    await make.user("taken@example.com")
    code = await new_code(gatepost)

    taken = await complete(client, code, "Taken@example.com")

    assert (taken.status_code, taken.json()["code"]) == (400, "email-taken")
    assert (await complete(client, code)).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_administrator_by_command_ends_the_setup(
    client: AsyncClient, gatepost: Gatepost, make: Make
) -> None:
    code = await new_code(gatepost)
    person = await make.user()

    async def decide(promoted: bool) -> bool:
        async with gatepost.work() as work:
            setup = gatepost.build(Setup, work)
            user = await gatepost.build(Users, work).load(person.id)
            return await (setup.promote(user) if promoted else setup.demote(user))

    async def may_list() -> bool:
        me = await make.signed_in(person)
        return (await client.get("/users/", headers=me.headers)).status_code == 200

    assert not await may_list()
    assert [await decide(True), await decide(True)] == [True, False]
    assert await may_list()
    assert refused(await complete(client, code))
    assert [await decide(False), await decide(False)] == [True, False]
    assert not await may_list()
