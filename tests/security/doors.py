"""Every way to set a password, so that no test forgets one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from httpx2 import AsyncClient, Response

from gatepost import Gatepost
from gatepost.accounts import Setup
from gatepost.proofs import MailProofs, Purpose
from tests.make import PASSWORD, Make, Person


@dataclass(frozen=True)
class Hall:
    """The room from which all doors are reached."""

    gatepost: Gatepost
    client: AsyncClient
    make: Make


@dataclass(frozen=True)
class Tried:
    """The answer, and whose password it was about."""

    answer: Response
    email: str


async def by_sign_up(hall: Hall, password: Any) -> Tried:
    email = "by-sign-up@example.com"
    return Tried(await hall.client.post("/users/", json={"email": email, "password": password}), email)


async def by_setup(hall: Hall, password: Any) -> Tried:
    email = "by-setup@example.com"
    body = {"email": email, "password": password, "code": await setup_code(hall.gatepost)}
    return Tried(await hall.client.post("/setup", json=body), email)


async def by_own_change(hall: Hall, password: Any) -> Tried:
    me = await hall.make.signed_in()
    body = {"password": password, "current_password": PASSWORD}
    return Tried(await hall.client.patch("/users/me", json=body, headers=me.headers), me.person.email)


async def by_own_change_under_id(hall: Hall, password: Any) -> Tried:
    me = await hall.make.signed_in()
    body = {"password": password, "current_password": PASSWORD}
    path = f"/users/{me.person.id}"
    return Tried(await hall.client.patch(path, json=body, headers=me.headers), me.person.email)


async def by_administrator(hall: Hall, password: Any) -> Tried:
    person = await hall.make.user()
    administrator = await hall.make.signed_in(await hall.make.administrator())
    path, body = f"/users/{person.id}", {"password": password}
    return Tried(await hall.client.patch(path, json=body, headers=administrator.headers), person.email)


async def by_reset(hall: Hall, password: Any) -> Tried:
    person = await hall.make.user()
    async with hall.gatepost.work() as work:
        proofs = hall.gatepost.build(MailProofs, work)
        asked = await proofs.ask(Purpose.RESET_PASSWORD, person.email, person.id, timedelta(hours=1))
    body = {"email": person.email, "code": asked.code, "password": password}
    return Tried(await hall.client.post("/password/reset", json=body), person.email)


Door = Callable[[Hall, Any], Awaitable[Tried]]

PASSWORD_DOORS: dict[str, Door] = {
    "sign-up": by_sign_up,
    "setup": by_setup,
    "own change": by_own_change,
    "own change under one's id": by_own_change_under_id,
    "administrator": by_administrator,
    "reset by mail": by_reset,
}

# The operations behind the doors; a test compares them with the OpenAPI document.
BEHIND_DOORS = {
    ("post", "/users/"),
    ("post", "/setup"),
    ("patch", "/users/me"),
    ("patch", "/users/{user_id}"),
    ("post", "/password/reset"),
}


async def setup_code(gatepost: Gatepost) -> str:
    """Return a new one-time code, while there is no administrator."""
    async with gatepost.work() as work:
        code = await gatepost.build(Setup, work).new_code()
    assert code is not None
    return code


async def disable(hall: Hall, person: Person) -> None:
    """Let an administrator disable somebody."""
    administrator = await hall.make.signed_in(await hall.make.administrator())
    path = f"/users/{person.id}"
    answer = await hall.client.patch(path, json={"is_active": False}, headers=administrator.headers)
    assert answer.status_code == 200, answer.text
