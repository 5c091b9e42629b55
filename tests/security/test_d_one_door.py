"""Attacks on sessions that go round a check: another path, a race, a fault, a header, a cache."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import event, select, text, update

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.login import MAIL, WAYS
from gatepost.login import PASSWORD as BY_PASSWORD
from gatepost.login.ways import APP_BROWSER, PASSKEY_TOKENS, RECOVERY
from gatepost.tokens import RefreshFamily
from tests.conftest import open_client
from tests.login.ways import ENTRANCES, attempt_of, entrance_of
from tests.make import PASSWORD, Make, SignedIn
from tests.security.expect import assert_challenged, assert_problem
from tests.security.operations import no_database_matters


async def change(client: AsyncClient, administrator: SignedIn, who: SignedIn, **values: Any) -> Response:
    answer = await client.patch(f"/users/{who.person.id}", json=values, headers=administrator.headers)
    assert answer.status_code == 200, answer.text
    return answer


# ── refresh asks again ───────────────────────────────────────────────────────────────────────────────


async def test_d02_a_refresh_knows_that_the_person_was_disabled_or_deleted(
    client: AsyncClient, make: Make
) -> None:
    administrator = await make.signed_in(await make.administrator())
    disabled, deleted = await make.signed_in(), await make.signed_in()
    await change(client, administrator, disabled, is_active=False)
    path = f"/users/{deleted.person.id}"
    assert (await client.delete(path, headers=administrator.headers)).status_code == 204

    for each in (disabled, deleted):
        assert_problem(await make.refresh(each.refresh_token), 400)
    # What was dead stays dead.
    await change(client, administrator, disabled, is_active=True)
    assert (await make.refresh(disabled.refresh_token)).json()["reason"] == "disabled"


async def test_d03_a_refresh_does_not_outlive_the_end_of_all_sessions(
    client: AsyncClient, make: Make
) -> None:
    administrator = await make.signed_in(await make.administrator())
    me = await make.signed_in()
    path = f"/users/{me.person.id}/sessions"
    assert (await client.delete(path, headers=administrator.headers)).json() == {"ended": 1}

    assert (await make.refresh(me.refresh_token)).json()["reason"] == "revoked_by_admin"


async def test_d02_a_refresh_brings_no_permission_back(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    from gatepost.accounts import Setup
    from gatepost.users import Users

    administrator = await make.signed_in(await make.administrator())
    async with gatepost.work() as work:
        user = await gatepost.build(Users, work).load(administrator.person.id)
        await gatepost.build(Setup, work).demote(user)

    fresh = (await make.refresh(administrator.refresh_token)).json()

    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    assert_problem(await client.get("/users/", headers=headers), 403)


async def test_i06_a_narrowed_scope_never_grows_again(make: Make, client: AsyncClient) -> None:
    me = await make.signed_in()
    for scope in ("account admin", "users:write", "account account openid"):
        form = {"grant_type": "refresh_token", "refresh_token": me.refresh_token, "scope": scope}
        answer = await client.post("/users/token", data=form)
        assert_problem(answer, 400)
        assert answer.json()["error"] == "invalid_scope"
    # Refused before anything was used up.
    assert (await make.refresh(me.refresh_token)).json()["scope"] == "account"


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["logout", "session", "others"])
async def test_d12_a_revocation_that_failed_says_so_and_works_when_tried_again(
    gatepost: Gatepost, client: AsyncClient, make: Make, what: str
) -> None:
    person = await make.user()
    me, other = await make.signed_in(person), await make.signed_in(person)
    listed = (await client.get("/users/me/sessions", headers=me.headers)).json()["items"]
    (theirs,) = [item["id"] for item in listed if not item["current"]]
    method, path = {
        "logout": ("POST", "/users/logout"),
        "session": ("DELETE", f"/users/me/sessions/{theirs}"),
        "others": ("DELETE", "/users/me/sessions"),
    }[what]

    def fail(*_: Any) -> None:
        import sqlite3

        raise sqlite3.OperationalError("disk I/O error")

    engine = gatepost.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        failed = await client.request(method, path, headers=me.headers)
    finally:
        event.remove(engine, "before_cursor_execute", fail)

    assert failed.status_code >= 500
    ended = me if what == "logout" else other
    assert (await client.get("/users/me", headers=ended.headers)).status_code == 200
    assert (await client.request(method, path, headers=me.headers)).status_code in {200, 204}
    assert_challenged(await client.get("/users/me", headers=ended.headers))


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────


async def test_d14_two_hundred_sign_ins_at_once_each_get_their_own_identity(
    gatepost: Gatepost, make: Make
) -> None:
    people = [await make.user() for _ in range(20)]
    # Of mails to one person only the newest works.
    # Of several factors that one person adds at once, only the last flow goes on.
    ways = [way for way in WAYS if way.proofs == (BY_PASSWORD,)]
    # More than that are refused, not mixed up: the queues for hashing and for connections have an end.
    places = asyncio.Semaphore(16)

    async def come_in(number: int) -> None:
        async with places:
            await come_in_now(number)

    async def come_in_now(number: int) -> None:
        person = people[number % len(people)]
        way = ways[number % len(ways)]
        attempt, entrance = attempt_of(gatepost, person), entrance_of(way)
        await entrance.begin(attempt)
        answer = await entrance.finish(attempt)
        assert answer.status_code == 200, (way.name, answer.text)
        body = answer.json()
        tokens = body.get("tokens") or body
        headers = {"Authorization": f"Bearer {tokens['access_token']}"} if "access_token" in tokens else {}
        me = await attempt.client.get("/users/me", headers=headers)
        assert me.json()["email"] == person.email

    await asyncio.gather(*(come_in(number) for number in range(200)))


async def test_two_new_passwords_at_once_leave_one_result(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    passwords = ["harbour-umbrella-77", "velvet-compass-31"]
    bodies = [{"password": new, "current_password": PASSWORD} for new in passwords]

    answers = await asyncio.gather(
        *(client.patch("/users/me", json=body, headers=me.headers) for body in bodies)
    )

    assert sorted(answer.status_code for answer in answers) in ([200, 412], [200, 422])
    works = [(await make.sign_in(me.person.email, password)).status_code for password in passwords]
    assert sorted(works) == [200, 400]
    won = [answer.status_code == 200 for answer in answers]
    assert [status == 200 for status in works] == won
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 400


# ── headers and caches ───────────────────────────────────────────────────────────────────────────────

GARBAGE = [
    "",
    " ",
    "\t",
    "a" * 4000,
    "\xff\xfe",
    "127.0.0.1, ::1, x",
    '";--',
    "${jndi:ldap://x}",
    "0x7f000001",
]
HEADERS = [
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "User-Agent", "Accept",
    "X-Request-ID", "Origin", "Referer", "Sec-Fetch-Site", "X-CSRF-Token", "Cookie", "Accept-Language",
]  # fmt: skip


# Each first factor by itself, and one way of each second.
WITH_GARBAGE = [
    way
    for way in WAYS
    if way.proofs in ((BY_PASSWORD,), (MAIL,)) or way in (PASSKEY_TOKENS, APP_BROWSER, RECOVERY)
]


@no_database_matters
@pytest.mark.parametrize("way", WITH_GARBAGE, ids=lambda way: way.name)
async def test_e03_garbage_in_any_header_lets_nobody_in(gatepost: Gatepost, make: Make, way: Any) -> None:
    person = await make.user()
    # After a first step the same dependencies read the same headers: there each header has garbage once.
    one_step = way.proofs in ((BY_PASSWORD,), (MAIL,))
    tries = itertools.product(HEADERS, GARBAGE) if one_step else zip(HEADERS, itertools.cycle(GARBAGE))
    for header, value in tries:
        if not one_step:
            # Each attempt adds a factor.
            person = await make.user()
        attempt, entrance = attempt_of(gatepost, person), entrance_of(way)
        await entrance.begin(attempt)
        wrong = type(person)(person.id, person.email, "not-the-lighthouse-1")
        attempt.person = wrong
        attempt.client.headers[header] = value
        answer = await entrance.finish(attempt)
        assert 400 <= answer.status_code < 500, (header, value, answer.text)
        assert "access_token" not in answer.text


async def test_e03_a_policy_that_fails_lets_nobody_in(
    gatepost: Gatepost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatepost.login import verdicts

    def fail(*_: Any) -> None:
        raise RuntimeError("the policy cannot be read")

    attempts = []
    # Without policy nobody is asked to add a factor.
    for way in [each for each in WAYS if not each.enrols]:
        person = await make.user()
        attempt = attempt_of(gatepost, person)
        await entrance_of(way).begin(attempt)
        attempts.append((way, attempt))
    before = await gatepost.database.reads.rows(text("SELECT id FROM sessions"))
    monkeypatch.setattr(verdicts, "judge", fail)
    for way, attempt in attempts:
        answer = await entrance_of(way).finish(attempt)
        assert answer.status_code == 500, way.name
        assert "access_token" not in answer.text
    assert await gatepost.database.reads.rows(text("SELECT id FROM sessions")) == before
    assert len(ENTRANCES) == len(WAYS)


async def test_d13_l09_no_cache_knows_an_end_later_than_its_answer(
    settings: Settings, clock: MovableClock, make: Make, client: AsyncClient
) -> None:
    """A session, its person and their role end at one service; another that has them in its cache knows at once."""
    second = Gatepost(settings, clock=clock)
    async with second.lifespan(), open_client(second) as elsewhere:
        administrator = await make.signed_in(await make.administrator())
        me = await make.signed_in()
        for _ in range(3):
            assert (await elsewhere.get("/users/me", headers=me.headers)).status_code == 200
            assert (await elsewhere.get("/users/", headers=administrator.headers)).status_code == 200

        assert (await client.post("/users/logout", headers=me.headers)).status_code == 204
        assert_challenged(await elsewhere.get("/users/me", headers=me.headers))

        await change(client, administrator, me, is_active=False)
        assert (await Make(second, elsewhere).sign_in(me.person.email, PASSWORD)).status_code == 400


async def test_c18_two_sessions_of_one_person_are_two_callers(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    one, two = await make.signed_in(person), await make.signed_in(person)
    for each in (one, two, one, two):
        items = (await client.get("/users/me/sessions", headers=each.headers)).json()["items"]
        assert [item["current"] for item in items].count(True) == 1
    await client.post("/users/logout", headers=one.headers)

    assert_challenged(await client.get("/users/me", headers=one.headers))
    assert (await client.get("/users/me", headers=two.headers)).status_code == 200


@no_database_matters
async def test_c16_what_is_remembered_of_tokens_is_bounded(
    gatepost: Gatepost, client: AsyncClient, make: Make, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    from gatepost.tokens import access_token, callers

    monkeypatch.setattr(access_token, "REMEMBERED", 50)
    monkeypatch.setattr(callers, "REMEMBERED", 50)
    me = await make.signed_in()
    for _ in range(300):
        await client.get("/users/me", headers={"Authorization": f"Bearer {me.access_token}x"})
    refresh_token = me.refresh_token
    for _ in range(120):
        fresh = (await make.refresh(refresh_token)).json()
        refresh_token = fresh["refresh_token"]
        headers = {"Authorization": f"Bearer {fresh['access_token']}"}
        assert (await client.get("/users/me", headers=headers)).status_code == 200

    assert len(gatepost.access_tokens._verified) <= 50
    assert len(gatepost.callers._reads) <= 50


async def test_c17_nothing_that_people_write_reaches_a_claim(client: AsyncClient, make: Make) -> None:
    import jwt

    me = await make.signed_in()
    for name in ('{"sub": "x"}', "admin", "users:write", "a\\u0022,\\u0022scope"):
        answer = await client.patch("/users/me", json={"name": name}, headers=me.headers)
        assert answer.status_code == 200
        for body in ({"claims": {"sub": "x"}}, {"scope": "admin"}, {"sub": "x"}, {"roles": ["admin"]}):
            assert_problem(await client.patch("/users/me", json=body, headers=me.headers), 422)
    token = (await make.sign_in(me.person.email, PASSWORD)).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope"}
    assert (claims["sub"], claims["scope"]) == (str(me.person.id), "account")


async def test_c19_a_guess_at_a_secret_never_reaches_a_comparison_of_its_text(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    """What is shown is looked up by its session and compared as a digest: a right beginning tells nothing.

    So a guess that shares all but the last byte costs the database as much as one that shares none.
    """
    me = await make.signed_in()
    asked: list[str] = []
    engine = gatepost.database.engine.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        # The worker beside it looks for what is due.
        if "deliveries" not in statement and "schedule" not in statement:
            asked.append(str(parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        # Not the last letter: some of its bits say nothing.
        other = "A" if me.refresh_token[-2] != "A" else "B"
        for guess in (
            me.refresh_token[:-2] + other + me.refresh_token[-1],
            me.refresh_token[:20] + "A" * 77,
            "gp_rt_" + "A" * 91,
        ):
            assert_problem(await make.refresh(guess), 400)
        assert asked == []
        await make.refresh(me.refresh_token)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert not any(me.refresh_token in parameters for parameters in asked)


@no_database_matters
async def test_c20_whatever_stands_in_the_header_the_answer_is_401_or_400(
    client: AsyncClient, make: Make
) -> None:
    import random

    me, chance = await make.signed_in(), random.Random(20)
    lines = [
        b"",
        b"Bearer",
        b"Bearer ",
        b"bearer\t",
        b"Basic Og==",
        b"Bearer " + bytes([0xFF] * 50),
        b"Bearer a b",
    ]
    lines += [b"Bearer " + chance.randbytes(60).replace(b"\n", b"").replace(b"\r", b"") for _ in range(200)]
    true = me.access_token.encode()
    for _ in range(200):
        place = chance.randrange(len(true))
        lines.append(b"Bearer " + true[:place] + chance.randbytes(1) + true[place + 1 :])
    for line in lines:
        clean = line.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")
        if clean == b"Bearer " + true:
            continue
        answer = await client.get("/users/me", headers=[(b"Authorization", clean)])
        assert answer.status_code in {400, 401}, clean


async def test_j06_a_get_hands_out_no_secret(gatepost: Gatepost, make: Make, client: AsyncClient) -> None:
    person = await make.user()
    attempt = attempt_of(gatepost, person)
    signed = await ENTRANCES["browser"][1](attempt)
    value = next(value for name, value in attempt.client.cookies.items() if "session" in name)
    for path in ("/session", "/users/me", "/users/me/sessions", "/users/me?include_auth_token=1"):
        answer = await attempt.client.get(path, headers={"Accept": "application/json"})
        assert answer.status_code in {200, 422}
        for secret in (value, signed.json()["csrf_token"], "gp_rt_", "eyJ"):
            assert secret not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_database_that_was_restored_from_a_copy_takes_nobody_for_a_thief(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    """A token that is ahead of the database is refused; the session that there is goes on."""
    me = await make.signed_in()
    copied = await gatepost.database.reads.first(select(RefreshFamily.digest, RefreshFamily.generation))
    assert copied is not None
    ahead = (await make.refresh(me.refresh_token)).json()
    async with gatepost.database.write() as transaction:
        restored = {"digest": copied.digest, "generation": copied.generation}
        await transaction.execute(update(RefreshFamily).values(**restored))
    clock.move(timedelta(minutes=1))

    answer = await make.refresh(ahead["refresh_token"])

    assert_problem(answer, 400)
    assert "reason" not in answer.json()
    assert (await client.get("/users/me", headers=me.headers)).status_code == 200
    assert (await make.refresh(me.refresh_token)).status_code == 200
