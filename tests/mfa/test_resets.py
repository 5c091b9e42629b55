"""Whoever has lost their factors: removed after a while, unless somebody objects, or by an administrator."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventRow
from gatepost.core.principal import MULTI_FACTOR
from gatepost.core.schedule import Job
from gatepost.mfa import FactorResetOff, FactorResets, Mfa, NoFactor, due_resets
from tests.make import PASSWORD, Make, Person, SignedIn
from tests.mfa.people import App, enrolled, recovered, shows, strongly_signed_in
from tests.post import Letter, Post, by_hand

DELAY = timedelta(hours=72)
SECOND = timedelta(seconds=1)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    return Post(gatepost)


@pytest.fixture
def job(gatepost: Gatepost) -> Job:
    """What removes factors, as the schedule runs it."""
    return due_resets(gatepost.run, lambda work: gatepost.build(FactorResets, work))


@pytest.fixture
async def me(client: AsyncClient, make: Make, clock: MovableClock) -> SignedIn:
    return await make.signed_in()


@pytest.fixture
async def app(client: AsyncClient, me: SignedIn, post: Post, clock: MovableClock) -> App:
    app = await enrolled(client, me, clock.now())
    await post.letters()
    return app


async def asked(gatepost: Gatepost, post: Post, person: Person) -> Letter:
    """Ask at the door, after the first factor."""
    async with gatepost.work() as work:
        due_at = await gatepost.build(FactorResets, work).ask(person.id)
    assert due_at == gatepost.clock.now() + DELAY
    letter = await post.letter("factors_reset_scheduled")
    assert letter.to == person.email
    return letter


async def carried_out(gatepost: Gatepost, job: Job) -> int:
    async with gatepost.database.write() as transaction:
        return await job.run(transaction, gatepost.clock.now())


async def has(gatepost: Gatepost, person: Person) -> tuple[str, ...]:
    return (await gatepost.build(Mfa, gatepost.reading()).enrolled(person.id)).methods


async def test_when_nobody_objects_the_factors_go_the_sessions_end_and_the_person_is_told(
    client: AsyncClient,
    make: Make,
    me: SignedIn,
    app: App,
    post: Post,
    gatepost: Gatepost,
    clock: MovableClock,
    job: Job,
) -> None:
    letter = await asked(gatepost, post, me.person)
    clock.move(DELAY - SECOND)
    async with gatepost.work() as work:
        # To ask again neither hastens nor delays it, and sends nothing.
        assert await gatepost.build(FactorResets, work).ask(me.person.id) == clock.now() + SECOND
    assert await post.letters() == []
    assert await carried_out(gatepost, job) == 0
    assert await has(gatepost, me.person) == ("totp", "recovery_code")

    clock.move(SECOND)
    ran = await asyncio.gather(*(carried_out(gatepost, job) for _ in range(2)))

    assert sum(ran) >= 1
    assert await has(gatepost, me.person) == ()
    assert await shows(gatepost, me.person, app.code(clock.now())) == "code-wrong"
    assert await recovered(gatepost, me.person, app.recovery_codes[0]) is None
    gone = await make.refresh(me.refresh_token)
    assert (gone.status_code, gone.json()["reason"]) == (400, "factors_changed")
    assert (await post.letter("factors_reset")).to == me.person.email
    # The link is too late, and does not bring them back.
    assert (await client.post("/factors/reset/cancel", json={"token": letter.token})).status_code == 400
    assert await carried_out(gatepost, job) == 0


async def test_the_link_keeps_them_once_on_a_page_or_as_json_and_signs_nobody_in(
    client: AsyncClient,
    me: SignedIn,
    app: App,
    post: Post,
    gatepost: Gatepost,
    clock: MovableClock,
    job: Job,
) -> None:
    letter = await asked(gatepost, post, me.person)
    page = await client.get(letter.link)
    assert page.status_code == 200
    shown = (await client.get("/users/me/factors", headers=me.headers)).json()
    assert shown["reset_due_at"] is not None  # opening it did nothing
    pressed = await client.post(letter.page, data={"token": letter.token})
    assert pressed.status_code == 303, pressed.text
    assert "gp_session" not in pressed.headers.get("set-cookie", "")

    again = await asked(gatepost, post, me.person)
    tries = [{"token": again.token}, {"email": me.person.email, "code": again.code}] * 5
    answers = await asyncio.gather(*(client.post("/factors/reset/cancel", json=each) for each in tries))
    assert Counter(each.status_code for each in answers) == {204: 1, 400: 9}
    clock.move(2 * DELAY)
    assert await carried_out(gatepost, job) == 0
    assert await has(gatepost, me.person) == ("totp", "recovery_code")


@pytest.mark.parametrize("way", ["signed in", "asked to keep them", "new password"])
async def test_whoever_comes_back_keeps_them(
    way: str,
    client: AsyncClient,
    me: SignedIn,
    app: App,
    post: Post,
    gatepost: Gatepost,
    clock: MovableClock,
    job: Job,
) -> None:
    letter = await asked(gatepost, post, me.person)
    if way == "signed in":
        async with gatepost.work() as work:
            await gatepost.build(Mfa, work).signed_in(me.person.id)
    elif way == "asked to keep them":
        assert (await client.delete("/users/me/factors/reset", headers=me.headers)).status_code == 204
    else:
        change = {"current_password": PASSWORD, "password": "another-good-one-77"}
        assert (await client.patch("/users/me", json=change, headers=me.headers)).status_code == 200
    assert (await client.post("/factors/reset/cancel", json={"token": letter.token})).status_code == 400
    clock.move(DELAY)
    assert await carried_out(gatepost, job) == 0
    assert await has(gatepost, me.person) == ("totp", "recovery_code")


async def test_e15_whom_an_administrator_disables_meanwhile_keeps_their_factors(
    client: AsyncClient,
    make: Make,
    me: SignedIn,
    app: App,
    post: Post,
    gatepost: Gatepost,
    clock: MovableClock,
    job: Job,
) -> None:
    person = await make.administrator()
    await asked(gatepost, post, me.person)
    place = f"/users/{me.person.id}"
    for is_active in (False, True):
        administrator = await make.signed_in(person)
        assert (
            await client.patch(place, json={"is_active": is_active}, headers=administrator.headers)
        ).status_code == 200
        clock.move(DELAY)
        assert await carried_out(gatepost, job) == (0 if is_active else 1)
    assert await has(gatepost, me.person) == ("totp", "recovery_code")


async def test_nobody_can_ask_without_a_factor_or_where_it_is_turned_off(
    make: Make, me: SignedIn, settings: Settings, gatepost: Gatepost, clock: MovableClock
) -> None:
    with pytest.raises(NoFactor):
        async with gatepost.work() as work:
            await gatepost.build(FactorResets, work).ask(me.person.id)
    mfa = settings.mfa.model_copy(update={"reset_delay": timedelta(0)})
    strict = Gatepost(settings.model_copy(update={"mfa": mfa}), clock=clock)
    async with strict.lifespan():
        with pytest.raises(FactorResetOff):
            async with strict.work() as work:
                await strict.build(FactorResets, work).ask(me.person.id)


async def test_e12_an_administrator_resets_with_a_fresh_sign_in_gets_no_session_and_it_is_told(
    client: AsyncClient,
    make: Make,
    me: SignedIn,
    app: App,
    post: Post,
    gatepost: Gatepost,
    clock: MovableClock,
) -> None:
    administrator, other = await make.signed_in(await make.administrator()), await make.signed_in()
    path = f"/users/{me.person.id}/factors/reset"
    assert (await client.post(path, headers=other.headers)).status_code == 403
    assert (await client.post(path, headers=me.headers)).status_code == 403
    clock.move(timedelta(minutes=10, seconds=1))
    stale = await client.post(path, headers=administrator.headers)
    assert (stale.status_code, stale.json()["code"]) == (401, "reauthentication-required")
    assert await has(gatepost, me.person) == ("totp", "recovery_code")

    administrator = await make.signed_in(administrator.person)
    done = await client.post(path, headers=administrator.headers)

    assert (done.status_code, done.content) == (204, b"")
    assert "set-cookie" not in done.headers
    assert await has(gatepost, me.person) == ()
    assert (await client.get("/users/me", headers=me.headers)).json()["reason"] == "factors_changed"
    assert (await post.letter("factors_reset_by_admin")).to == me.person.email
    kind = "factors.reset_by_administrator"
    rows = await gatepost.database.reads.rows(
        select(EventRow.actor, EventRow.subject).where(EventRow.type == kind)
    )
    assert [(row.actor, row.subject) for row in rows] == [(administrator.person.id, me.person.id)]
    # Once more there is nothing to remove, and nothing to tell.
    assert (await client.post(path, headers=administrator.headers)).status_code == 204
    assert await post.letters() == []


async def test_e12_an_administrator_cannot_shed_their_own_factor_or_another_s_with_a_password_alone(
    client: AsyncClient, make: Make, me: SignedIn, app: App, gatepost: Gatepost, clock: MovableClock
) -> None:
    administrator = await make.signed_in(await make.administrator())
    await enrolled(client, administrator, clock.now())
    weak = await make.weakly_signed_in(administrator.person)
    own, theirs = f"/users/{weak.person.id}/factors/reset", f"/users/{me.person.id}/factors/reset"
    assert (await client.post(own, headers=weak.headers)).json()["code"] == "factors-your-own"
    refused = await client.post(theirs, headers=weak.headers)
    assert (refused.status_code, refused.json()["acr_values"]) == (401, MULTI_FACTOR)
    strong = await strongly_signed_in(gatepost, administrator.person)
    assert (await client.post(own, headers=strong.headers)).json()["code"] == "factors-your-own"
    assert (await client.post(theirs, headers=strong.headers)).status_code == 204
    shown = await client.get(f"/users/{me.person.id}/factors", headers=strong.headers)
    assert shown.json() == {"items": [], "recovery_codes_left": 0, "reset_due_at": None}
