"""Attacks with a session that should be dead: after a new password, after disabling, after deletion."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from httpx2 import AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.accounts import Setup
from gatepost.core.clock import MovableClock
from gatepost.users import Users
from tests.conftest import open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.security.expect import assert_challenged, assert_problem

NEW_PASSWORD = "harbour-umbrella-77"


@pytest.fixture
async def elsewhere(
    gatepost: Gatepost, settings: Settings, clock: MovableClock
) -> AsyncIterator[AsyncClient]:
    """A client of a second Gatepost on the same database."""
    second = Gatepost(settings, clock=clock)
    async with second.lifespan(), open_client(second) as opened:
        yield opened


@pytest.fixture
def both(client: AsyncClient, elsewhere: AsyncClient) -> list[AsyncClient]:
    """Clients of both Gateposts."""
    return [client, elsewhere]


async def refreshed(client: AsyncClient, token: str) -> Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await client.post("/users/token", data=form)


async def assert_alive(clients: list[AsyncClient], session: SignedIn) -> None:
    for client in clients:
        assert (await client.get("/users/me", headers=session.headers)).status_code == 200


async def assert_dead(clients: list[AsyncClient], session: SignedIn) -> None:
    for client in clients:
        assert_challenged(await client.get("/users/me", headers=session.headers))
        assert_challenged(await client.post("/users/logout", headers=session.headers))
        assert_problem(await refreshed(client, session.refresh_token), 400)


async def patch(client: AsyncClient, path: str, who: SignedIn, **body: object) -> None:
    answer = await client.patch(path, json=body, headers=who.headers)
    assert answer.status_code == 200, answer.text


Ending = Callable[[AsyncClient, SignedIn, SignedIn], Awaitable[None]]


async def own_password(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await patch(client, "/users/me", me, password=NEW_PASSWORD, current_password=PASSWORD)


async def own_password_under_id(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    path = f"/users/{me.person.id}"
    await patch(client, path, me, password=NEW_PASSWORD, current_password=PASSWORD)


async def same_password_again(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await patch(client, "/users/me", me, password=PASSWORD, current_password=PASSWORD)


async def administrators_password(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await patch(client, f"/users/{me.person.id}", administrator, password=NEW_PASSWORD)


async def disabled(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await patch(client, f"/users/{me.person.id}", administrator, is_active=False)


async def disabled_and_enabled(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await disabled(client, me, administrator)
    await patch(client, f"/users/{me.person.id}", administrator, is_active=True)


async def deleted_by_oneself(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    assert (await client.delete("/users/me", headers=me.headers)).status_code == 204


async def deleted_by_administrator(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    answer = await client.delete(f"/users/{me.person.id}", headers=administrator.headers)
    assert answer.status_code == 204


async def deleted_and_back_again(client: AsyncClient, me: SignedIn, administrator: SignedIn) -> None:
    await deleted_by_administrator(client, me, administrator)
    body = {"email": me.person.email, "password": PASSWORD}
    assert (await client.post("/users/", json=body)).status_code == 200


KEEPS_OWN = [own_password, own_password_under_id, same_password_again]
ENDS_ALL = [
    administrators_password,
    disabled,
    disabled_and_enabled,
    deleted_by_oneself,
    deleted_by_administrator,
    deleted_and_back_again,
]


@pytest.mark.parametrize("change", KEEPS_OWN)
async def test_d05_a_new_password_ends_every_other_session_everywhere(
    client: AsyncClient, both: list[AsyncClient], make: Make, change: Ending
) -> None:
    me = await make.signed_in()
    others = [await make.signed_in(me.person) for _ in range(2)]
    bystander = await make.signed_in()
    administrator = await make.signed_in(await make.administrator())
    for session in others:
        await assert_alive(both, session)

    await change(client, me, administrator)

    for session in others:
        await assert_dead(both, session)
    for session in (me, bystander, administrator):
        await assert_alive(both, session)
        assert (await refreshed(both[1], session.refresh_token)).status_code == 200


@pytest.mark.parametrize("change", ENDS_ALL)
async def test_d06_no_session_survives_a_reset_a_disabling_or_a_deletion(
    client: AsyncClient, both: list[AsyncClient], make: Make, change: Ending
) -> None:
    me = await make.signed_in()
    sessions = [me, *[await make.signed_in(me.person) for _ in range(2)]]
    bystander = await make.signed_in()
    administrator = await make.signed_in(await make.administrator())
    for session in sessions:
        await assert_alive(both, session)

    await change(client, me, administrator)

    for session in sessions:
        await assert_dead(both, session)
    await assert_alive(both, bystander)
    await assert_alive(both, administrator)


async def test_d05_the_old_password_is_dead_too(
    client: AsyncClient, both: list[AsyncClient], make: Make
) -> None:
    me = await make.signed_in()
    await patch(client, "/users/me", me, password=NEW_PASSWORD, current_password=PASSWORD)
    for each in both:
        form = {"username": me.person.email, "password": PASSWORD}
        assert_problem(await each.post("/users/token", data=form), 400)
        form["password"] = NEW_PASSWORD
        assert (await each.post("/users/token", data=form)).status_code == 200


async def test_d05_a_refresh_token_rotated_before_the_change_brings_nothing_back(
    client: AsyncClient, both: list[AsyncClient], make: Make
) -> None:
    me = await make.signed_in()
    thief = await make.signed_in(me.person)
    rotated = (await refreshed(client, thief.refresh_token)).json()["refresh_token"]

    await patch(client, "/users/me", me, password=NEW_PASSWORD, current_password=PASSWORD)

    for each in both:
        for token in (rotated, thief.refresh_token):
            assert_problem(await refreshed(each, token), 400)
    # Showing a used token of a dead session does not touch the living one.
    await assert_alive(both, me)


async def test_d05_a_refused_change_of_password_ends_nothing(
    client: AsyncClient, both: list[AsyncClient], make: Make
) -> None:
    me = await make.signed_in()
    other = await make.signed_in(me.person)
    for body in (
        {"password": NEW_PASSWORD},
        {"password": NEW_PASSWORD, "current_password": "not the password"},
        {"password": "password1", "current_password": PASSWORD},
    ):
        answer = await client.patch("/users/me", json=body, headers=me.headers)
        assert_problem(answer, 422)
    await assert_alive(both, other)


async def test_d06_signing_out_ends_one_session_everywhere(
    client: AsyncClient, both: list[AsyncClient], make: Make
) -> None:
    me = await make.signed_in()
    other = await make.signed_in(me.person)
    await assert_alive(both, me)

    assert (await client.post("/users/logout", headers=me.headers)).status_code == 204

    await assert_dead(both, me)
    await assert_alive(both, other)


async def test_d06_a_role_that_is_taken_away_is_gone_at_once(
    gatepost: Gatepost, both: list[AsyncClient], make: Make
) -> None:

    administrator = await make.signed_in(await make.administrator())
    for client in both:
        assert (await client.get("/users/", headers=administrator.headers)).status_code == 200
    async with gatepost.work() as work:
        person = await gatepost.build(Users, work).load(administrator.person.id)
        await gatepost.build(Setup, work).demote(person)
    for client in both:
        assert_problem(await client.get("/users/", headers=administrator.headers), 403)
