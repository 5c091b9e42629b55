"""What happens to a person between the check of the password and the start of the session."""

from collections.abc import Awaitable, Callable

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost
from gatepost.core.work import Work
from gatepost.login import TOKEN_ENDPOINT, Admission, Credentials, InvalidCredentials, Login
from gatepost.passwords import CheckedPassword, PasswordOptions, PasswordPolicy, Passwords
from gatepost.sessions import Session
from tests.make import PASSWORD, Make, Person, SignedIn

Act = Callable[[], Awaitable[None]]


class Interrupted(Passwords):
    """Checks a password; before anybody can act on it, something else happens."""

    def __init__(self, work: Work, gatepost: Gatepost, meanwhile: Act) -> None:
        super().__init__(work, gatepost.hashing, PasswordPolicy(PasswordOptions(), ()))
        self._meanwhile = meanwhile

    async def check(self, account: str | None, password: str) -> CheckedPassword:
        checked = await super().check(account, password)
        await self._meanwhile()
        return checked


async def sign_in(gatepost: Gatepost, person: Person, meanwhile: Act) -> str:
    async with gatepost.work() as work:
        login = gatepost.build(Login, work)
        login._password._passwords = Interrupted(work, gatepost, meanwhile)
        admitted = await login.with_password(
            TOKEN_ENDPOINT, Credentials(username=person.email, password=PASSWORD)
        )
        assert isinstance(admitted, Admission)
        assert admitted.tokens is not None
        return admitted.tokens.access_token


@pytest.fixture
async def administrator(make: Make) -> SignedIn:
    return await make.signed_in(await make.administrator())


async def test_another_name_does_not_matter(
    gatepost: Gatepost, client: AsyncClient, make: Make, administrator: SignedIn
) -> None:
    person = await make.user()

    async def rename() -> None:
        answer = await client.patch(
            f"/users/{person.id}", json={"name": "Ada"}, headers=administrator.headers
        )
        assert answer.status_code == 200

    token = await sign_in(gatepost, person, rename)

    me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["name"] == "Ada"


@pytest.mark.parametrize("change", [{"password": "another-good-one-77"}, {"is_active": False}, None])
async def test_a_new_password_or_the_end_of_the_account_does(
    gatepost: Gatepost,
    client: AsyncClient,
    make: Make,
    administrator: SignedIn,
    change: dict[str, object] | None,
) -> None:
    person = await make.user()

    async def interfere() -> None:
        path = f"/users/{person.id}"
        if change is None:
            answer = await client.delete(path, headers=administrator.headers)
        else:
            answer = await client.patch(path, json=change, headers=administrator.headers)
        assert answer.status_code in {200, 204}

    with pytest.raises(InvalidCredentials):
        await sign_in(gatepost, person, interfere)

    row = await gatepost.database.reads.first(
        select(func.count(Session.id).label("live")).where(Session.user_id == person.id)
    )
    assert row is not None
    assert row.live == 0
