"""Makes people and sessions for tests: real rows by real services, sign-in by the front door."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response

from gatepost import Gatepost
from gatepost.accounts import Accounts, NewAccount, Setup
from gatepost.core.clock import MovableClock
from gatepost.core.principal import MULTI_FACTOR, SINGLE_FACTOR
from gatepost.sessions import Assurance, Carriage, Sessions
from gatepost.tokens import Tokens
from gatepost.users import Standing, Users
from tests.door import GRACE

PASSWORD = "tangerine-lighthouse-42"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    id: UUID
    email: str
    password: str = PASSWORD


@dataclass(frozen=True)
class SignedIn:
    """Somebody with a session."""

    person: Person
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """The header that authenticates."""
        return {"Authorization": f"Bearer {self.access_token}"}


async def strongly_signed_in(gatepost: Gatepost, person: Person) -> SignedIn:
    """Return a session that was begun with two factors."""
    return await _with(gatepost, person, Assurance(("pwd", "otp", "mfa"), MULTI_FACTOR))


async def weakly_signed_in(gatepost: Gatepost, person: Person) -> SignedIn:
    """Return a session that was begun with a password alone, as on a device that is remembered."""
    return await _with(gatepost, person, Assurance(("pwd",), SINGLE_FACTOR))


async def _with(gatepost: Gatepost, person: Person, assurance: Assurance) -> SignedIn:
    async with gatepost.work() as work:
        standing = Standing.of(await gatepost.build(Users, work).load(person.id))
        session = await gatepost.build(Sessions, work).start(
            standing, "first-party", assurance, Carriage("bearer")
        )
        assert session is not None
        tokens_of = gatepost.build(Tokens, work)
        tokens = await tokens_of.issue(session, tokens_of.grantable(None))
    return SignedIn(person, tokens.access_token, tokens.refresh_token)


class Make:
    """Makes what a test begins with."""

    def __init__(self, gatepost: Gatepost, client: AsyncClient, *, behind_a_door: bool = False) -> None:
        self._gatepost = gatepost
        self._client = client
        self._behind_a_door = behind_a_door

    async def user(self, email: str | None = None, password: str = PASSWORD) -> Person:
        """Make a person."""
        new = NewAccount(email=email or f"person{next(_numbers)}@example.com", password=password)
        async with self._gatepost.work() as work:
            user = await self._gatepost.build(Accounts, work).add(new, by="test")
        return Person(user.id, user.email, password)

    async def administrator(self, email: str | None = None) -> Person:
        """Make a person with the role `admin`."""
        person = await self.user(email)
        async with self._gatepost.work() as work:
            user = await self._gatepost.build(Users, work).load(person.id)
            await self._gatepost.build(Setup, work).promote(user)
        return person

    async def signed_in(self, person: Person | None = None) -> SignedIn:
        """Sign somebody in, a new person unless one is given."""
        person = person or await self.user()
        answer = await self.sign_in(person.email, person.password)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return SignedIn(person, body["access_token"], body["refresh_token"])

    async def strongly_signed_in(self, person: Person | None = None) -> SignedIn:
        """Give somebody a session as after two factors, a new person unless one is given."""
        return await strongly_signed_in(self._gatepost, person or await self.user())

    async def weakly_signed_in(self, person: Person) -> SignedIn:
        """Give somebody a session as after one factor, whatever they have."""
        return await weakly_signed_in(self._gatepost, person)

    async def sign_in(self, email: str, password: str) -> Response:
        """Try to sign in; return the answer."""
        return await self._client.post("/users/token", data={"username": email, "password": password})

    async def refresh(self, refresh_token: str) -> Response:
        """Exchange a refresh token; return the answer."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._client.post("/users/token", data=form)

    async def reuse(self, refresh_token: str) -> Response:
        """Show a refresh token that was used before, later than any client would repeat itself."""
        clock = self._gatepost.clock
        assert isinstance(clock, MovableClock)
        if self._behind_a_door:
            await asyncio.sleep(GRACE)
        else:
            clock.move(self._gatepost.settings.tokens.refresh_grace)
        return await self.refresh(refresh_token)
