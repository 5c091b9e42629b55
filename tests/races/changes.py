"""Changes of what a caller is or may do: each is made through one process and looked at through another."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.accounts import Setup
from gatepost.users import User, Users
from tests.make import PASSWORD

__all__ = ["Changes", "Visitor"]

_numbers = itertools.count(1)

type Headers = dict[str, str]


@dataclass
class Visitor:
    """Somebody who is signed in."""

    id: UUID
    email: str
    password: str
    headers: Headers


@dataclass
class Changes:
    """`here` serves the changes, but for those of roles, which `commands` makes; `there` is another process."""

    here: AsyncClient
    there: AsyncClient
    commands: Gatepost
    admin: Headers
    made: int = 0

    async def each(self, rounds: int) -> None:
        """Make every change so many times, each followed at once by a look."""
        kinds = (self._renamed, self._promoted, self._disabled, self._signed_out, self._new_password)
        for kind in itertools.islice(itertools.cycle(kinds), rounds * len(kinds)):
            await kind(await self.visitor())

    async def visitor(self) -> Visitor:
        """Sign somebody up, and in."""
        email, password = f"visitor{next(_numbers)}@example.com", PASSWORD
        answer = await self.here.post("/users/", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return Visitor(UUID(answer.json()["id"]), email, password, await self._signed_in(email, password))

    async def _signed_in(self, email: str, password: str) -> Headers:
        answer = await self.here.post("/users/token", data={"username": email, "password": password})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def remembered(self, headers: Headers) -> None:
        """Have the other process know the caller."""
        for _ in range(2):
            assert (await self.there.get("/users/me", headers=headers)).status_code == 200

    async def status(self, headers: Headers, path: str = "/users/me") -> int:
        """Return what the other process answers, and count the change that was looked at."""
        self.made += 1
        return (await self.there.get(path, headers=headers)).status_code

    async def _renamed(self, visitor: Visitor) -> None:
        await self.remembered(visitor.headers)
        name = f"Name {self.made}"
        answer = await self.here.patch("/users/me", json={"name": name}, headers=visitor.headers)
        assert answer.status_code == 200, answer.text
        self.made += 1
        read = await self.there.get("/users/me", headers=visitor.headers)
        assert (read.json()["name"], read.headers["ETag"]) == (name, answer.headers["ETag"])

    async def _promoted(self, visitor: Visitor) -> None:
        await self.remembered(visitor.headers)
        assert (await self.there.get("/users/", headers=visitor.headers)).status_code == 403
        await self.role(visitor.id, Setup.promote)
        assert await self.status(visitor.headers, "/users/") == 200
        await self.role(visitor.id, Setup.demote)
        assert await self.status(visitor.headers, "/users/") == 403

    async def role(self, person: UUID, move: Callable[[Setup, User], Awaitable[bool]]) -> None:
        """Grant or revoke the administrator's role, as the command does."""
        async with self.commands.work() as work:
            user = await self.commands.build(Users, work).load(person)
            assert await move(self.commands.build(Setup, work), user)

    async def _disabled(self, visitor: Visitor) -> None:
        await self.remembered(visitor.headers)
        await self.active(visitor, yes=False)
        assert await self.status(visitor.headers) == 401
        await self.active(visitor, yes=True)
        again = await self._signed_in(visitor.email, visitor.password)
        assert await self.status(again) == 200
        assert (await self.there.get("/users/me", headers=visitor.headers)).status_code == 401

    async def active(self, visitor: Visitor, *, yes: bool) -> None:
        """Let somebody in again, or no longer."""
        path = f"/users/{visitor.id}"
        assert (await self.here.patch(path, json={"is_active": yes}, headers=self.admin)).status_code == 200

    async def _signed_out(self, visitor: Visitor) -> None:
        await self.remembered(visitor.headers)
        await self.sign_out(visitor)
        assert await self.status(visitor.headers) == 401

    async def sign_out(self, visitor: Visitor) -> None:
        """End the visitor's session."""
        assert (await self.here.post("/users/logout", headers=visitor.headers)).status_code == 204

    async def _new_password(self, visitor: Visitor) -> None:
        elsewhere = await self._signed_in(visitor.email, visitor.password)
        await self.remembered(visitor.headers)
        await self.remembered(elsewhere)
        change = {"password": f"{PASSWORD}-{self.made}", "current_password": visitor.password}
        answer = await self.here.patch("/users/me", json=change, headers=visitor.headers)
        assert answer.status_code == 200, answer.text
        assert await self.status(elsewhere) == 401
        assert (await self.there.get("/users/me", headers=visitor.headers)).status_code == 200
