"""The end of an account with a grace period: closed, kept by mail, erased in time."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost, Settings
from gatepost.accounts import Deletion, closed_accounts
from gatepost.core.clock import MovableClock
from gatepost.core.schedule import Job
from gatepost.users import User
from tests.make import PASSWORD, Make, SignedIn
from tests.post import Letter, Post, by_hand

GRACE = timedelta(days=14)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, deletion_grace=GRACE)


@pytest.fixture
def job(gatepost: Gatepost) -> Job:
    """What erases people, as the schedule runs it."""
    return closed_accounts(gatepost.run, lambda work: gatepost.build(Deletion, work))


async def deleted(client: AsyncClient, post: Post, me: SignedIn) -> Letter:
    answer = await client.delete("/users/me", headers=me.headers)
    assert answer.status_code == 204, answer.text
    letter = await post.letter("account_deletion_scheduled")
    assert letter.to == me.person.email
    return letter


async def erased(gatepost: Gatepost, job: Job) -> int:
    """Run the job once; return how many people it erased."""
    async with gatepost.database.write() as transaction:
        return await job.run(transaction, gatepost.clock.now())


async def people(gatepost: Gatepost) -> int:
    row = await gatepost.database.reads.first(select(func.count(User.id).label("number")))
    assert row is not None
    return row.number


async def test_an_account_is_closed_until_it_is_kept_once(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock, job: Job
) -> None:
    me = await make.signed_in()
    await client.post("/password/forgot", json={"email": me.person.email})
    reset = await post.letter("reset_password")
    letter = await deleted(client, post, me)

    gone = await client.get("/users/me", headers=me.headers)
    assert (gone.status_code, gone.json()["reason"]) == (401, "deleted")
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 400
    body = {"token": reset.token, "password": "another-good-one-77"}
    assert (await client.post("/password/reset", json=body)).status_code == 400
    await client.post("/password/forgot", json={"email": me.person.email})
    assert await post.letters() == []
    clock.move(GRACE - timedelta(seconds=1))
    assert await erased(gatepost, job) == 0

    tries = [{"token": letter.token}, {"email": me.person.email, "code": letter.code}] * 5
    answers = await asyncio.gather(*(client.post("/deletion/cancel", json=shown) for shown in tries))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 9}
    clock.move(GRACE)
    assert await erased(gatepost, job) == 0
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


async def test_when_the_time_is_over_people_are_erased_and_told(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock, job: Job
) -> None:
    leaving = [await make.signed_in() for _ in range(3)]
    kept, enabled = await make.signed_in(), await make.signed_in()
    letters = [await deleted(client, post, me) for me in (*leaving, kept, enabled)]
    assert (await client.post("/deletion/cancel", json={"token": letters[3].token})).status_code == 204
    administrator = await make.signed_in(await make.administrator())
    path, change = f"/users/{enabled.person.id}", {"is_active": True}
    assert (await client.patch(path, json=change, headers=administrator.headers)).status_code == 200
    # What was enabled is not to be deleted any more, so there is nothing to cancel.
    assert (await client.post("/deletion/cancel", json={"token": letters[4].token})).status_code == 400

    clock.move(GRACE)
    assert (await client.post("/deletion/cancel", json={"token": letters[0].token})).status_code == 400
    ran = await asyncio.gather(*(erased(gatepost, job) for _ in range(2)))

    assert sum(ran) >= len(leaving)
    assert await people(gatepost) == 3
    told = await post.letters()
    assert {each.kind for each in told} == {"account_deleted"}
    assert sorted(each.to for each in told) == sorted(me.person.email for me in leaving)
    assert await erased(gatepost, job) == 0


async def test_who_was_shut_out_gets_back_an_account_that_the_thief_wanted_deleted(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock, job: Job
) -> None:
    thief = await make.signed_in(await make.user("ada@example.com"))
    await client.patch("/users/me", json={"email": "thief@evil.example"}, headers=thief.headers)
    undo = await post.letter("email_changed")
    await client.delete("/users/me", headers=thief.headers)
    keep = await post.letter("account_deletion_scheduled")
    assert keep.to == "thief@evil.example"

    assert (await client.post("/email/undo", json={"token": undo.token})).status_code == 204

    clock.move(GRACE)
    assert await erased(gatepost, job) == 0
    await post.letters()
    # The thief knew the password: it is gone, and a new one is set by mail.
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 400
    await client.post("/password/forgot", json={"email": "ada@example.com"})
    reset = {"token": (await post.letter("reset_password")).token, "password": PASSWORD}
    assert (await client.post("/password/reset", json=reset)).status_code == 204
    assert (await make.sign_in("ada@example.com", PASSWORD)).status_code == 200


async def test_whom_an_administrator_disables_meanwhile_cannot_open_the_account_again(
    client: AsyncClient, make: Make, post: Post, gatepost: Gatepost, clock: MovableClock, job: Job
) -> None:
    me, administrator = await make.signed_in(), await make.signed_in(await make.administrator())
    letter = await deleted(client, post, me)

    place = f"/users/{me.person.id}"
    disabled = await client.patch(place, json={"is_active": False}, headers=administrator.headers)
    assert disabled.status_code == 200, disabled.text

    assert (await client.post("/deletion/cancel", json={"token": letter.token})).status_code == 400
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 400
    # And who investigates does not find the account erased.
    clock.move(2 * GRACE)
    assert await erased(gatepost, job) == 0
