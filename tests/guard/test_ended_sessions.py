"""Tokens of ended sessions are refused within moments, by a list that nobody can forge and that fills no memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.guard import Guard, GuardOptions, SessionRevoked, TokenInvalid, Unfetched, Unverifiable
from gatepost.guard import ended as ended_module
from gatepost.guard.fetch import Fetched
from gatepost.tokens import revoked as revoked_module
from tests.conftest import open_client
from tests.guard.issuer import (
    ENDED,
    METADATA,
    SELDOM,
    GuardClock,
    Issuer,
    bearing,
    checked,
    guarding,
    look,
    made,
)
from tests.make import Make

SID = "018f0000-0000-7000-8000-000000000002"


async def test_a_token_of_an_ended_session_is_refused(guard: Guard, issuer: Issuer) -> None:
    token, other = issuer.token(), issuer.token(sid="another")
    assert await checked(guard, token)

    issuer.ended.append(SID)
    await look(guard)

    for _ in range(2):
        with pytest.raises(SessionRevoked) as refused:
            await checked(guard, token)
    with pytest.raises(SessionRevoked):
        await checked(guard, issuer.token())
    assert await checked(guard, other)
    assert (refused.value.status, refused.value.code) == (401, "session-revoked")
    assert refused.value.www_authenticate == 'Bearer realm="gatepost", error="invalid_token"'


async def test_it_is_refused_from_the_first_request_on(issuer: Issuer) -> None:
    issuer.ended.append(SID)
    async with guarding(issuer) as guard:
        with pytest.raises(SessionRevoked):
            await checked(guard, issuer.token())


async def test_switched_off_no_list_is_read(issuer: Issuer) -> None:
    issuer.ended.append(SID)
    async with guarding(issuer, revocation="off") as guard:
        await look(guard)
        assert await checked(guard, issuer.token())
    assert issuer.count(ENDED) == 0


async def test_the_guard_looks_by_itself(issuer: Issuer) -> None:
    async with asyncio.timeout(20), guarding(issuer, poll_every=0.2) as guard:
        await checked(guard, issuer.token())
        issuer.ended.append(SID)
        while True:
            try:
                await checked(guard, issuer.token())
            except SessionRevoked:
                break
            await asyncio.sleep(0.01)


async def test_no_request_asks_for_the_list(guard: Guard, issuer: Issuer) -> None:
    before = issuer.count(ENDED)
    for _ in range(100):
        await checked(guard, issuer.token())
    assert issuer.count(ENDED) == before


async def test_it_reads_on_where_it_was(guard: Guard, issuer: Issuer, clock: MovableClock) -> None:
    issuer.list_claims["next"] = "a b/&?"
    await look(guard)
    await look(guard)
    assert issuer.asked[-1] == f"{ENDED}?after=a%20b%2F%26%3F"


async def test_a_position_that_is_not_known_any_more_makes_it_begin_anew(
    guard: Guard, issuer: Issuer
) -> None:
    class Forgetful(Issuer):
        async def __call__(self, url: str) -> Fetched:
            if "after=" in url:
                self.asked.append(url)
                raise Unfetched("status 422", 422)
            return await super().__call__(url)

    forgetful = Forgetful(issuer.clock, issuer.pairs)
    async with guarding(forgetful) as other:
        forgetful.ended.append(SID)
        await look(other)
        await look(other)
        with pytest.raises(SessionRevoked):
            await checked(other, forgetful.token())


# ── forged, replayed, broken ─────────────────────────────────────────────────────────────────────

FORGED: dict[str, dict[str, Any]] = {
    "another type": {"list_header": {"typ": "JWT"}},
    "an access token's type": {"list_header": {"typ": "at+jwt"}},
    "no algorithm": {"list_header": {"alg": "none"}},
    "another algorithm": {"list_header": {"alg": "HS256"}},
    "a key in the header": {"list_header": {"jwk": {}}},
    "critical": {"list_header": {"crit": ["x"]}},
    "an odd kid": {"list_header": {"kid": 1}},
    "another issuer": {"list_claims": {"iss": "https://evil.example"}},
    "from the future": {"list_claims": {"iat": 9_999_999_999}},
    "an odd time": {"list_claims": {"iat": "now"}},
    "a negative time": {"list_claims": {"complete_since": -1}},
    "an odd keep": {"list_claims": {"keep": True}},
    "no list": {"list_claims": {"sessions": "018f"}},
    "odd ids": {"list_claims": {"sessions": [1]}},
    "long ids": {"list_claims": {"sessions": ["a" * 65]}},
    "odd kids": {"list_claims": {"kids": [None]}},
    "no position": {"list_claims": {"next": None}},
    "a long position": {"list_claims": {"next": "a" * 201}},
    "an odd more": {"list_claims": {"more": 1}},
    "without end": {"list_claims": {"more": True}},
}


@pytest.mark.parametrize("how", FORGED)
async def test_c03_a_list_that_is_not_the_issuers_changes_nothing(
    guard: Guard, issuer: Issuer, clock: MovableClock, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_module, "_MOST_PAGES", 3)
    assert guard._ended is not None
    as_of = guard._ended.as_of
    clock.move(timedelta(seconds=10))
    for name, value in FORGED[how].items():
        setattr(issuer, name, value)
    if how != "without end":
        issuer.ended.append(SID)

    await look(guard)

    assert await checked(guard, issuer.token())
    assert guard._ended.as_of == as_of


@pytest.mark.parametrize("body", [b"", b"x", b"a.b.c", b"\xff", b"...", b"[" * 5000, b"null"])
async def test_c20_a_list_that_is_none_changes_nothing(guard: Guard, issuer: Issuer, body: bytes) -> None:
    issuer.ended.append(SID)
    await look(guard)
    issuer.documents[ENDED] = body or b" "

    await look(guard)

    # What was known stays known.
    with pytest.raises(SessionRevoked):
        await checked(guard, issuer.token())


async def test_c03_a_list_signed_by_a_stranger_changes_nothing(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    stranger = made("ES256")
    issuer.list_signer = stranger
    issuer.ended.append(SID)
    for kid in (stranger.kid, issuer.current.kid):
        issuer.list_header["kid"] = kid
        clock.move(timedelta(seconds=3))
        await look(guard)
        assert await checked(guard, issuer.token())


async def test_c11_a_list_is_no_token_and_a_token_is_no_list(guard: Guard, issuer: Issuer) -> None:
    with pytest.raises(TokenInvalid):
        await checked(guard, issuer.ended_sessions())
    issuer.documents[ENDED] = issuer.token(**issuer_list(issuer)).encode()
    await look(guard)
    assert await checked(guard, issuer.token())


def issuer_list(issuer: Issuer) -> dict[str, Any]:
    return {"sessions": [SID], "next": "1", "more": False, "complete_since": 0, "keep": 9, "kids": []}


async def test_c07_the_list_of_another_issuer_is_not_believed(clock: MovableClock) -> None:
    ours = Issuer(clock, [made("ES256", kid="one")])
    theirs = Issuer(clock, [made("ES256", kid="one")], url="https://other.example", ended=[SID])
    ours.documents[ENDED] = theirs.ended_sessions().encode()
    async with guarding(ours) as guard:
        assert await checked(guard, ours.token())


async def test_a_list_that_is_shown_again_gets_no_younger(issuer: Issuer, clock: MovableClock) -> None:
    async with guarding(issuer, stale_feed="refuse", max_feed_age=30) as guard:
        issuer.documents[ENDED] = issuer.ended_sessions().encode()
        clock.move(timedelta(seconds=29))
        await look(guard)
        assert await checked(guard, issuer.token())
        clock.move(timedelta(seconds=3))
        await look(guard)
        with pytest.raises(Unverifiable):
            await checked(guard, issuer.token())


# ── while it cannot be read ──────────────────────────────────────────────────────────────────────


async def test_while_the_list_cannot_be_read_tokens_are_verified_on(
    guard: Guard, issuer: Issuer, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.ended.append(SID)
    await look(guard)
    issuer.down = True
    for _ in range(10):
        clock.move(timedelta(seconds=60))
        await look(guard)

    assert await checked(guard, issuer.token(sid="another"))
    with pytest.raises(SessionRevoked):
        await checked(guard, issuer.token())
    assert caplog.text.count("The list of ended sessions cannot be read") == 1
    issuer.down = False
    await look(guard)
    assert caplog.text.count("The list of ended sessions can be read again.") == 1


async def test_where_it_is_set_so_a_stale_list_refuses(issuer: Issuer, clock: MovableClock) -> None:
    async with guarding(issuer, stale_feed="refuse", max_feed_age=60) as guard:
        token = issuer.token()
        issuer.down = True
        clock.move(timedelta(seconds=58))
        assert await checked(guard, token)
        clock.move(timedelta(seconds=4))
        with pytest.raises(Unverifiable):
            await checked(guard, token)
        # A token that belongs to no session cannot be on the list.
        assert await checked(guard, issuer.token(sid=None))
        issuer.down = False
        await look(guard)
        assert await checked(guard, token)


async def test_where_it_is_set_so_nobody_is_let_in_before_the_first_list(issuer: Issuer) -> None:
    issuer.documents[ENDED] = b"x"
    async with guarding(issuer, stale_feed="refuse") as guard:
        with pytest.raises(Unverifiable):
            await checked(guard, issuer.token())


async def test_an_issuer_without_a_list_is_one_that_cannot_be_read(issuer: Issuer) -> None:
    said = issuer.metadata()
    del said["gatepost_revoked_sessions_uri"]
    issuer.documents[METADATA] = json.dumps(said).encode()
    async with guarding(issuer) as guard, guarding(issuer, stale_feed="refuse") as strict:
        assert await checked(guard, issuer.token())
        with pytest.raises(Unverifiable):
            await checked(strict, issuer.token())


async def test_of_tokens_older_than_the_list_goes_back_nobody_can_tell(
    issuer: Issuer, clock: MovableClock
) -> None:
    """The life of tokens was shortened: those of before may outlive what the list remembers."""
    issuer.list_claims["complete_since"] = issuer.now - 100
    async with guarding(issuer, stale_feed="refuse") as guard:
        assert await checked(guard, issuer.token(iat=issuer.now - 99))
        with pytest.raises(Unverifiable):
            await checked(guard, issuer.token(iat=issuer.now - 101))

        # Who reads on without a gap knows it of tokens that grow older meanwhile.
        young = issuer.token()
        for _ in range(5):
            clock.move(timedelta(seconds=60))
            issuer.list_claims["complete_since"] = issuer.now - 70
            await look(guard)
        assert await checked(guard, young)

        # After a gap it is only known from the new beginning on.
        clock.move(timedelta(seconds=200))
        issuer.list_claims["complete_since"] = issuer.now - 70
        await look(guard)
        with pytest.raises(Unverifiable):
            await checked(guard, young)
        assert await checked(guard, issuer.token())


# ── memory ───────────────────────────────────────────────────────────────────────────────────────


async def test_c16_an_ended_session_is_forgotten_when_its_last_token_is_over(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    issuer.ended.append(SID)
    await look(guard)
    assert guard.standing.ended_sessions == 1

    # Shown again in the seconds after, it is kept no longer for that.
    clock.move(timedelta(seconds=30))
    await look(guard)
    issuer.ended.clear()
    clock.move(timedelta(seconds=1169))
    await look(guard)
    assert guard.standing.ended_sessions == 1
    clock.move(timedelta(seconds=2))
    await look(guard)
    assert guard.standing.ended_sessions == 0


async def test_c16_a_list_without_end_fills_no_memory(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ended_module, "MOST", 100)
    async with guarding(issuer, stale_feed="refuse") as strict, guarding(issuer) as guard:
        token = issuer.token(iat=issuer.now - 10)
        for start in range(0, 1000, 90):
            issuer.ended[:] = [f"{number}" for number in range(start, start + 90)]
            await look(guard)
            await look(strict)
        assert guard.standing.ended_sessions == 100
        # Some are forgotten: of older tokens nobody can tell any more, and it is said.
        assert "the oldest are forgotten" in caplog.text
        assert await checked(guard, token)
        with pytest.raises(Unverifiable):
            await checked(strict, token)


# ── with the service itself ──────────────────────────────────────────────────────────────────────


class Service:
    """The guard's `Fetch` over a real service in this process."""

    def __init__(self, gatepost: Gatepost, client: AsyncClient) -> None:
        self._issuer = gatepost.settings.issuer
        self._client = client
        self.asked: list[str] = []

    async def __call__(self, url: str) -> Fetched:
        self.asked.append(url)
        answer = await self._client.get(url.removeprefix(self._issuer))
        if answer.status_code != 200:
            raise Unfetched(f"status {answer.status_code}", answer.status_code)
        return Fetched(answer.content, {name.lower(): value for name, value in answer.headers.items()})

    async def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
async def service(gatepost: Gatepost) -> AsyncIterator[Service]:
    async with open_client(gatepost) as client:
        yield Service(gatepost, client)


@pytest.fixture
async def over_service(gatepost: Gatepost, service: Service, clock: MovableClock) -> AsyncIterator[Guard]:
    options = GuardOptions(poll_every=SELDOM, stale_feed="refuse")
    issuer = gatepost.settings.issuer
    async with Guard(issuer, options=options, fetch=service, clock=GuardClock(clock)) as guard:
        yield guard


async def test_a_sign_out_at_the_service_is_seen_with_the_next_look(
    over_service: Guard, client: AsyncClient, make: Make, service: Service
) -> None:
    me, other = await make.signed_in(), await make.signed_in()
    caller = await checked(over_service, me.access_token)
    assert caller.subject == str(me.person.id)
    assert caller.scope == {"account"}

    await client.post("/users/logout", headers=me.headers)
    asked = len(service.asked)
    assert await checked(over_service, me.access_token)  # not yet
    await look(over_service)

    with pytest.raises(SessionRevoked):
        await checked(over_service, me.access_token)
    assert await checked(over_service, other.access_token)
    assert len(service.asked) == asked + 1


async def test_the_sessions_of_a_deleted_person_are_refused_too(
    over_service: Guard, client: AsyncClient, make: Make
) -> None:
    me = await make.signed_in()
    await checked(over_service, me.access_token)

    await client.delete("/users/me", headers=me.headers)
    await look(over_service)

    with pytest.raises(SessionRevoked):
        await checked(over_service, me.access_token)


async def test_over_hours_of_sign_outs_nothing_is_missed_and_little_is_kept(
    over_service: Guard, client: AsyncClient, make: Make, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoked_module, "PAGE", 2)
    for _ in range(12):
        people = [await make.signed_in() for _ in range(3)]
        for me in people:
            await checked(over_service, me.access_token)
            await client.post("/users/logout", headers=me.headers)
        clock.move(timedelta(seconds=1))
        await look(over_service)
        for me in people:
            with pytest.raises(SessionRevoked):
                await over_service.check(bearing(me.access_token), method="GET", path="/")
        clock.move(timedelta(minutes=10))
        await look(over_service)
    assert over_service.standing.ended_sessions <= 9
