"""Signed-in devices: what people see of them, and how they end them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventRow
from gatepost.sessions.devices import device, recorded_address
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.security.expect import assert_problem

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


async def listed(client: AsyncClient, who: SignedIn) -> list[dict[str, Any]]:
    answer = await client.get("/users/me/sessions", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def reason(client: AsyncClient, who: SignedIn) -> str | None:
    answer = await client.get("/users/me", headers=who.headers)
    assert_problem(answer, 401)
    return answer.json().get("reason")


async def test_v7_5_2_a_session_says_where_from_and_how(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    person = await make.user()
    form = {"username": person.email, "password": PASSWORD}
    answer = await client.post("/users/token", data=form, headers={"User-Agent": FIREFOX})
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    await make.signed_in(person)

    items = (await client.get("/users/me/sessions", headers=headers)).json()["items"]

    assert len(items) == 2
    (here,) = [item for item in items if item["current"]]
    assert here["device"] == "Firefox on Linux"
    assert here["amr"] == ["pwd"]
    assert here["acr"] == "urn:gatepost:acr:single-factor"
    assert (here["carrier"], here["client_id"]) == ("bearer", "first-party")
    assert "gp_" not in answer.text.replace(answer.json()["refresh_token"], "")


async def test_one_session_is_ended_and_says_so(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    here, there = await make.signed_in(person), await make.signed_in(person)
    (other,) = [item["id"] for item in await listed(client, here) if not item["current"]]

    answer = await client.delete(f"/users/me/sessions/{other}", headers=here.headers)

    assert answer.status_code == 204
    assert await reason(client, there) == "revoked"
    assert (await make.refresh(there.refresh_token)).json()["reason"] == "revoked"
    assert [item["current"] for item in await listed(client, here)] == [True]
    assert_problem(await client.delete(f"/users/me/sessions/{other}", headers=here.headers), 404)


async def test_all_others_are_ended(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    here, *there = [await make.signed_in(person) for _ in range(4)]
    bystander = await make.signed_in()

    answer = await client.delete("/users/me/sessions", headers=here.headers)

    assert answer.json() == {"ended": 3}
    assert [await reason(client, each) for each in there] == ["revoked"] * 3
    assert len(await listed(client, here)) == len(await listed(client, bystander)) == 1


async def test_ending_the_session_that_asks_is_signing_out(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    (here,) = await listed(client, me)

    assert (await client.delete(f"/users/me/sessions/{here['id']}", headers=me.headers)).status_code == 204
    assert await reason(client, me) == "signed_out"


async def test_nobody_ends_or_sees_anothers(client: AsyncClient, make: Make) -> None:
    me, victim = await make.signed_in(), await make.signed_in()
    (theirs,) = await listed(client, victim)

    assert_problem(await client.delete(f"/users/me/sessions/{theirs['id']}", headers=me.headers), 404)
    for method, path in (
        ("GET", f"/users/{victim.person.id}/sessions"),
        ("DELETE", f"/users/{victim.person.id}/sessions"),
        ("DELETE", f"/users/{victim.person.id}/sessions/{theirs['id']}"),
    ):
        assert_problem(await client.request(method, path, headers=me.headers), 403)
    assert len(await listed(client, victim)) == 1


async def test_v7_4_5_an_administrator_ends_one_or_all(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    administrator = await make.signed_in(await make.administrator())
    person = await make.user()
    first, second, third = [await make.signed_in(person) for _ in range(3)]
    path = f"/users/{person.id}/sessions"
    items = (await client.get(path, headers=administrator.headers)).json()["items"]
    assert len(items) == 3

    oldest = (await listed(client, first))[-1]["id"]
    assert (await client.delete(f"{path}/{oldest}", headers=administrator.headers)).status_code == 204
    assert (await client.delete(path, headers=administrator.headers)).json() == {"ended": 2}

    for each in (first, second, third):
        assert await reason(client, each) == "revoked_by_admin"
    assert_problem(await client.get(f"/users/{UUID(int=9)}/sessions", headers=administrator.headers), 404)
    assert_problem(await client.delete(f"/users/{UUID(int=9)}/sessions", headers=administrator.headers), 404)
    rows = await gatepost.database.reads.rows(
        text("SELECT id FROM events WHERE type = 'session.ended' AND actor IS NOT NULL")
    )
    assert len(rows) == 3


async def test_the_reason_names_an_event_that_there_is(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    me = await make.signed_in()
    await client.post("/users/logout", headers=me.headers)

    told = (await make.refresh(me.refresh_token)).json()

    assert told["reason"] == "signed_out"
    row = await gatepost.database.reads.first(select(EventRow.type).where(EventRow.id == UUID(told["event"])))
    assert row is not None
    assert row.type == "session.ended"


async def test_v7_3_1_an_idle_session_ends_and_one_in_use_does_not(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    person = await make.user()
    used, idle = await make.signed_in(person), await make.signed_in(person)
    refresh_token = used.refresh_token
    for _ in range(3):
        clock.move(timedelta(days=6))
        refresh_token = (await make.refresh(refresh_token)).json()["refresh_token"]

    assert (await make.refresh(idle.refresh_token)).json()["reason"] == "expired_idle"
    assert (await make.refresh(refresh_token)).status_code == 200


async def test_v7_3_2_use_does_not_outlive_the_absolute_lifetime(make: Make, clock: MovableClock) -> None:
    refresh_token = (await make.signed_in()).refresh_token
    for _ in range(5):
        clock.move(timedelta(days=6) - timedelta(seconds=1))
        refresh_token = (await make.refresh(refresh_token)).json()["refresh_token"]
    clock.move(timedelta(seconds=5))

    assert (await make.refresh(refresh_token)).json()["reason"] == "expired"


async def test_d04_a_shorter_lifetime_holds_for_sessions_that_exist(
    settings: Settings, clock: MovableClock, make: Make
) -> None:
    me = await make.signed_in()
    clock.move(timedelta(hours=2))
    for shorter in ({"lifetime": timedelta(hours=1)}, {"idle_lifetime": timedelta(hours=1)}):
        changed = make_settings(settings.database_location, settings.data_dir, sessions=shorter)
        service = Gatepost(changed, clock=clock)
        async with service.lifespan(), open_client(service) as client:
            answer = await Make(service, client).refresh(me.refresh_token)
            assert_problem(answer, 400)
            assert answer.json()["reason"].startswith("expired")


async def test_use_is_written_at_most_once_a_minute(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    seen = []
    for seconds in (30, 29, 1, 59, 1):
        clock.move(timedelta(seconds=seconds))
        await client.get("/users/me", headers=me.headers)
        await gatepost.sightings.written()
        (row,) = await gatepost.database.reads.rows(text("SELECT last_seen_at FROM sessions"))
        seen.append(row.last_seen_at)
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


async def test_k13_one_sign_in_too_many_ends_the_session_used_longest_ago(
    settings: Settings, clock: MovableClock
) -> None:
    changed = make_settings(settings.database_location, settings.data_dir, sessions={"most_per_user": 3})
    service = Gatepost(changed, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        make = Make(service, client)
        person = await make.user()
        first, second, third = [await make.signed_in(person) for _ in range(3)]
        clock.move(timedelta(minutes=2))
        await client.get("/users/me", headers=first.headers)
        await service.sightings.written()

        newest = await make.signed_in(person)

        live = [each for each in (first, second, third, newest) if await is_live(client, each)]
        assert len(live) == 3
        assert first in live
        assert newest in live
        gone = second if second not in live else third
        assert await reason(client, gone) == "too_many_sessions"


async def is_live(client: AsyncClient, who: SignedIn) -> bool:
    return (await client.get("/users/me", headers=who.headers)).status_code == 200


async def test_a_new_password_may_leave_the_others_by_setting(
    settings: Settings, clock: MovableClock
) -> None:
    changed = make_settings(
        settings.database_location, settings.data_dir, accounts={"password_change_ends_sessions": False}
    )
    service = Gatepost(changed, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        make = Make(service, client)
        person = await make.user()
        here, there = await make.signed_in(person), await make.signed_in(person)
        body = {"password": "harbour-umbrella-77", "current_password": PASSWORD}
        assert (await client.patch("/users/me", json=body, headers=here.headers)).status_code == 200
        assert await is_live(client, there)


# ── signing in again ─────────────────────────────────────────────────────────────────────────────────


async def reauthenticate(client: AsyncClient, who: SignedIn, password: str = PASSWORD) -> Any:
    return await client.post("/users/me/reauthenticate", json={"password": password}, headers=who.headers)


async def test_d10_what_needs_a_fresh_sign_in_says_so_and_a_new_one_suffices(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    clock.move(timedelta(minutes=11))

    refused = await client.delete("/users/me", headers=me.headers)

    assert_problem(refused, 401)
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="600"' in challenge
    again = await reauthenticate(client, me)
    assert again.status_code == 200, again.text
    fresh = SignedIn(me.person, again.json()["tokens"]["access_token"], "")
    assert (await client.delete("/users/me", headers=fresh.headers)).status_code == 204


async def test_v7_2_4_signing_in_again_ends_what_was_before(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()

    again = (await reauthenticate(client, me)).json()["tokens"]

    assert await reason(client, me) == "renewed"
    assert (await make.refresh(me.refresh_token)).json()["reason"] == "renewed"
    assert (await make.refresh(again["refresh_token"])).status_code == 200


async def test_d10_anothers_password_is_no_proof(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    other = await make.user(password="harbour-umbrella-77")

    answer = await reauthenticate(client, me, other.password)

    assert_problem(answer, 400)
    assert await is_live(client, me)


async def test_e16_guessing_in_a_session_shares_the_counter_of_the_front_door(
    settings: Settings, clock: MovableClock
) -> None:
    service = Gatepost(
        make_settings(settings.database_location, settings.data_dir).model_copy(update={"rate_limits": "on"}),
        clock=clock,
    )
    async with service.lifespan(), open_client(service) as client:
        make = Make(service, client)
        me = await make.signed_in()
        statuses = [(await reauthenticate(client, me, "not-the-lighthouse")).status_code for _ in range(12)]
        assert statuses.count(429) >= 2
        assert (await make.sign_in(me.person.email.upper(), PASSWORD)).status_code == 429
        body = {"password": "harbour-umbrella-77", "current_password": PASSWORD}
        assert (await client.patch("/users/me", json=body, headers=me.headers)).status_code == 429


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                "Version/17.5 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile "
                "Safari/537.36"
            ),
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28", "python-httpx"),
        ("Mozilla/5.0", None),
        ("<script>", None),
        ("", None),
        (None, None),
    ],
)
def test_a_device_has_a_name_that_people_know(user_agent: str | None, label: str | None) -> None:
    assert device(user_agent) == label


def test_of_an_address_as_much_is_kept_as_the_setting_says() -> None:
    assert recorded_address("203.0.113.77", "full") == "203.0.113.77"
    assert recorded_address("203.0.113.77", "network") == "203.0.113.0/24"
    assert recorded_address("2001:db8:1:2::5", "network") == "2001:db8:1::/48"
    assert recorded_address("testclient", "network") is None
    assert recorded_address("203.0.113.77", "none") is recorded_address(None, "full") is None


async def test_the_sign_in_keeps_no_more_of_the_address(settings: Settings, clock: MovableClock) -> None:
    changed = make_settings(
        settings.database_location, settings.data_dir, sessions={"address_detail": "network"}
    )
    service = Gatepost(changed, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        me = await Make(service, client).signed_in()
        (item,) = await listed(client, me)
    assert item["address"] == "127.0.0.0/24"


async def test_a_lock_keeps_out_and_leaves_the_session(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    administrator = await make.signed_in(await make.administrator())
    me = await make.signed_in()
    until = (clock.now() + timedelta(hours=1)).isoformat()
    path = f"/users/{me.person.id}"
    answer = await client.patch(path, json={"locked_until": until}, headers=administrator.headers)
    assert answer.status_code == 200, answer.text

    assert (await make.sign_in(me.person.email, PASSWORD)).json()["detail"] == "Incorrect credentials"
    assert await is_live(client, me)
    assert_problem(await client.patch(path, json={"locked_until": None}, headers=me.headers), 403)

    clock.move(timedelta(hours=1))
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


async def test_a08_only_an_administrator_says_that_an_address_is_verified(
    client: AsyncClient, make: Make
) -> None:
    administrator = await make.signed_in(await make.administrator())
    me = await make.signed_in()
    path = f"/users/{me.person.id}"

    assert_problem(await client.patch(path, json={"email_verified": True}, headers=me.headers), 403)
    answer = await client.patch(path, json={"email_verified": True}, headers=administrator.headers)
    assert answer.json()["email_verified"] is True
    changed = await client.patch("/users/me", json={"email": "new@example.com"}, headers=me.headers)
    assert changed.json()["email_verified"] is False


async def test_d03_ending_sessions_waits_for_a_sign_in_that_is_under_way(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    """Whoever signs in again while all is being ended is ended, too: no session starts unseen."""
    import asyncio

    from gatepost.login import Login, ProvenAgain
    from gatepost.sessions import EndReason, Sessions

    me = await make.signed_in()
    found = await gatepost.authentication.caller(me.access_token)
    let_go, started = asyncio.Event(), asyncio.Event()

    async def sign_in_again() -> str:
        async with gatepost.work() as work:
            admitted = await gatepost.build(Login, work).reauthenticate(
                found.principal, ProvenAgain(password=PASSWORD)
            )
            started.set()
            await let_go.wait()
        assert admitted.tokens is not None
        return admitted.tokens.access_token

    async def end_all() -> int:
        async with gatepost.work() as work:
            sessions = gatepost.build(Sessions, work)
            return await sessions.end_all(me.person.id, EndReason.REVOKED_BY_ADMIN)

    again = asyncio.create_task(sign_in_again())
    await started.wait()
    ending = asyncio.create_task(end_all())
    await asyncio.sleep(0)
    let_go.set()
    token, ended = await again, await ending

    assert ended == 1
    answer = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    assert_problem(answer, 401)


async def test_no_token_outlives_a_session_that_is_not_used(settings: Settings, clock: MovableClock) -> None:
    import jwt

    changed = make_settings(
        settings.database_location, settings.data_dir, sessions={"idle_lifetime": timedelta(minutes=5)}
    )
    service = Gatepost(changed, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        me = await Make(service, client).signed_in()
        claims = jwt.decode(me.access_token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] <= 4 * 60
