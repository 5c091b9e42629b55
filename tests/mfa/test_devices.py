"""Remembered devices: a token for a browser, that stands for a factor at a sign-in and for nothing else."""

from datetime import timedelta

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.principal import ClientInfo
from gatepost.mfa import Mfa
from tests.make import Make, Person, SignedIn
from tests.mfa.people import enrolled, strongly_signed_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
MONTH = timedelta(days=30)


async def remember(gatepost: Gatepost, person: Person) -> str:
    async with gatepost.work(client=ClientInfo(address="203.0.113.7", user_agent=FIREFOX)) as work:
        made = await gatepost.build(Mfa, work).remember(person.id)
    assert made is not None
    return made[0]


async def is_known(gatepost: Gatepost, person: Person, token: str | None) -> bool:
    """Tell whether the door would ask for no factor: as it looks, and as it lets somebody in."""
    async with gatepost.work() as work:
        mfa = gatepost.build(Mfa, work)
        device = await mfa.remembered(person.id, token)
        return device is not None and await mfa.use_device(person.id, device)


@pytest.fixture
async def me(client: AsyncClient, make: Make, clock: MovableClock) -> SignedIn:
    signed_in = await make.signed_in()
    await enrolled(client, signed_in, clock.now())
    return signed_in


async def test_a_device_is_known_for_a_month_to_its_owner_alone(
    client: AsyncClient, make: Make, me: SignedIn, gatepost: Gatepost, clock: MovableClock
) -> None:
    token, other = await remember(gatepost, me.person), await make.user()
    assert await is_known(gatepost, me.person, token)
    assert not await is_known(gatepost, other, token)
    for forged in (None, "", token[:-1], f"{token}x", token.upper(), "gp_rd_"):
        assert not await is_known(gatepost, me.person, forged)
    (shown,) = (await client.get("/users/me/remembered-devices", headers=me.headers)).json()["items"]
    assert (shown["device"], shown["address"]) == ("Firefox on Linux", "203.0.113.7")
    assert token not in str(shown)
    clock.move(MONTH - timedelta(seconds=1))
    assert await is_known(gatepost, me.person, token)
    clock.move(timedelta(seconds=1))
    assert not await is_known(gatepost, me.person, token)


async def test_e11_devices_are_forgotten_one_by_one_or_all_by_their_owner(
    client: AsyncClient, make: Make, me: SignedIn, gatepost: Gatepost
) -> None:
    tokens = [await remember(gatepost, me.person) for _ in range(3)]
    path = "/users/me/remembered-devices"
    items = (await client.get(path, headers=me.headers)).json()["items"]
    eve = await make.signed_in()
    assert (await client.delete(f"{path}/{items[0]['id']}", headers=eve.headers)).status_code == 404
    assert (await client.delete(path, headers=eve.headers)).json() == {"forgotten": 0}
    assert (await client.delete(f"{path}/{items[0]['id']}", headers=me.headers)).status_code == 204
    assert [await is_known(gatepost, me.person, token) for token in tokens] == [True, True, False]
    assert (await client.delete(path, headers=me.headers)).json() == {"forgotten": 2}
    assert not await is_known(gatepost, me.person, tokens[0])


async def test_every_change_of_factors_or_of_the_password_makes_devices_strangers(
    client: AsyncClient, make: Make, me: SignedIn, gatepost: Gatepost, clock: MovableClock
) -> None:
    strong = await strongly_signed_in(gatepost, me.person)
    token = await remember(gatepost, me.person)
    clock.move(timedelta(seconds=30))
    app = await enrolled(client, strong, clock.now())
    assert not await is_known(gatepost, me.person, token)
    token = await remember(gatepost, me.person)
    assert (await client.delete(f"/users/me/factors/{app.id}", headers=strong.headers)).status_code == 204
    assert not await is_known(gatepost, me.person, token)
    token = await remember(gatepost, me.person)
    administrator = await make.signed_in(await make.administrator())
    changed = await client.patch(
        f"/users/{me.person.id}", json={"password": "another-good-one-77"}, headers=administrator.headers
    )
    assert changed.status_code == 200, changed.text
    assert not await is_known(gatepost, me.person, token)


async def test_a_device_that_is_forgotten_between_the_look_and_the_sign_in_is_a_stranger(
    me: SignedIn, gatepost: Gatepost
) -> None:
    token = await remember(gatepost, me.person)
    seen = await gatepost.build(Mfa, gatepost.reading()).remembered(me.person.id, token)
    assert seen is not None
    async with gatepost.work() as work:
        await gatepost.build(Mfa, work).credentials_changed(me.person.id)
    async with gatepost.work() as work:
        assert not await gatepost.build(Mfa, work).use_device(me.person.id, seen)


async def test_there_are_at_most_twenty_and_none_where_none_is_remembered(
    me: SignedIn, gatepost: Gatepost, settings: Settings, clock: MovableClock
) -> None:
    tokens = []
    for _ in range(22):
        clock.move(timedelta(seconds=1))
        tokens.append(await remember(gatepost, me.person))
    assert [await is_known(gatepost, me.person, token) for token in tokens] == [False] * 2 + [True] * 20
    mfa = settings.mfa.model_copy(update={"remember_for": timedelta(0)})
    forgetful = Gatepost(settings.model_copy(update={"mfa": mfa}), clock=clock)
    async with forgetful.lifespan():
        assert not await is_known(forgetful, me.person, tokens[-1])
        async with forgetful.work() as work:
            assert await forgetful.build(Mfa, work).remember(me.person.id) is None
