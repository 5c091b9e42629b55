"""Who may change an account is asked again once the slow part is over: hashing can take seconds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.accounts import Setup
from gatepost.users import Users
from tests.make import PASSWORD, Make

NEW_PASSWORD = "another-lighthouse-77"


class Gate:
    """Holds whoever hashes until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()


@pytest.fixture
async def gate(gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    held = Gate()
    hash_now = gatepost.hashing.hash

    async def later(password: str, source: str | None = None) -> str:
        if password == NEW_PASSWORD:
            held.reached.set()
            await held.opened.wait()
        return await hash_now(password, source)

    monkeypatch.setattr(gatepost.hashing, "hash", later)
    yield held
    held.opened.set()


async def test_an_administrator_who_is_demoted_meanwhile_changes_nobody(
    client: AsyncClient, gatepost: Gatepost, make: Make, gate: Gate
) -> None:
    boss, victim = await make.signed_in(await make.administrator()), await make.user()
    asked = {"path": f"/users/{victim.id}", "headers": boss.headers}
    pending = asyncio.create_task(send(client, "PATCH", asked, {"password": NEW_PASSWORD}))
    await gate.reached.wait()

    async with gatepost.work() as work:
        await gatepost.build(Setup, work).demote(await gatepost.build(Users, work).load(boss.person.id))
    gate.opened.set()

    assert await pending == 403
    assert (await make.sign_in(victim.email, PASSWORD)).status_code == 200


@pytest.mark.parametrize("ended_by", ["sign-out", "disabling"])
async def test_a_session_that_ends_meanwhile_changes_nothing(
    client: AsyncClient, make: Make, gate: Gate, ended_by: str
) -> None:
    me, boss = await make.signed_in(), await make.signed_in(await make.administrator())
    change = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    asked = {"path": "/users/me", "headers": me.headers}
    pending = asyncio.create_task(send(client, "PATCH", asked, change))
    await gate.reached.wait()

    if ended_by == "sign-out":
        assert (await client.post("/users/logout", headers=me.headers)).status_code == 204
    else:
        path = f"/users/{me.person.id}"
        off = await client.patch(path, json={"is_active": False}, headers=boss.headers)
        assert off.status_code == 200
        assert (await client.patch(path, json={"is_active": True}, headers=boss.headers)).status_code == 200
    gate.opened.set()

    assert await pending == 401
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


async def send(client: AsyncClient, method: str, asked: dict[str, Any], change: dict[str, str]) -> int:
    answer = await client.request(method, asked["path"], headers=asked["headers"], json=change)
    return answer.status_code
