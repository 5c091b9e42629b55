"""Roles: what they grant, and for how long."""

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.access import ADMIN, Access, permissions_of
from tests.make import Make

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_role_that_is_taken_away_is_gone_at_the_next_request(
    client: AsyncClient, gatepost: Gatepost, make: Make
) -> None:
    """The token is the same: permissions are read with each request, never from the token."""
    me = await make.signed_in(await make.administrator())
    assert (await client.get("/users/", headers=me.headers)).status_code == 200

    async with gatepost.work() as work:
        assert await gatepost.build(Access, work).revoke(me.person.id, ADMIN)

    assert (await client.get("/users/", headers=me.headers)).status_code == 403


async def test_roles_are_listed_and_given_once(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    async with gatepost.work() as work:
        access = gatepost.build(Access, work)
        assert [await access.grant(person.id, ADMIN), await access.grant(person.id, ADMIN)] == [True, False]

    assert await gatepost.build(Access, gatepost.reading()).roles_of(person.id) == [ADMIN]


async def test_a_role_that_there_is_not_cannot_be_given(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    async with gatepost.work() as work:
        with pytest.raises(ValueError, match="no role 'king'"):
            await gatepost.build(Access, work).grant(person.id, "king")


def test_an_unknown_role_grants_nothing(database_url: str) -> None:
    assert permissions_of(["king", None]) == frozenset()
    assert permissions_of(["king", ADMIN]) == {"users:read", "users:write"}
