"""The issuer's keys: kept as long as it says, fetched once for all, renewed in time, kept on while it is away."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from gatepost.core.clock import MovableClock
from gatepost.guard import Fetched, Guard, TokenInvalid, Unfetched, Unverifiable
from gatepost.guard.keys import max_age
from tests.guard.issuer import ENDED, KEYS, METADATA, URL, Issuer, checked, guard_of, guarding, look, made


async def test_all_who_ask_at_once_wait_for_one_fetch(issuer: Issuer, clock: MovableClock) -> None:
    issuer.down = True
    async with guarding(issuer) as guard:
        issuer.down = False
        clock.move(timedelta(seconds=3))
        issuer.asked.clear()
        issuer.held = asyncio.Event()
        token = issuer.token()
        asking = [asyncio.create_task(checked(guard, token)) for _ in range(50)]
        await asyncio.sleep(0.01)
        assert issuer.asked == [METADATA]
        issuer.held.set()
        assert len({(await each).subject for each in asking}) == 1

    assert (issuer.count(METADATA), issuer.count(KEYS)) == (1, 1)


async def test_one_who_goes_away_does_not_take_the_fetch_along(issuer: Issuer, clock: MovableClock) -> None:
    issuer.down = True
    async with guarding(issuer) as guard:
        issuer.down = False
        clock.move(timedelta(seconds=3))
        issuer.held = asyncio.Event()
        first, second = (asyncio.create_task(checked(guard, issuer.token())) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        issuer.held.set()
        assert (await second).subject
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_keys_are_used_as_long_as_the_issuer_says(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    clock.move(timedelta(seconds=260))
    await look(guard)
    await checked(guard, issuer.token())
    assert issuer.count(KEYS) == 1

    # Before their time is over they are fetched anew, so that no request waits for it.
    clock.move(timedelta(seconds=20))
    await look(guard)
    assert issuer.count(KEYS) == 2


async def test_a_request_fetches_them_where_nobody_did(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    clock.move(timedelta(seconds=301))
    await checked(guard, issuer.token())
    assert issuer.count(KEYS) == 2


async def test_a_new_key_is_known_at_once(guard: Guard, issuer: Issuer, clock: MovableClock) -> None:
    clock.move(timedelta(seconds=3))
    issuer.pairs.append(made("EdDSA"))

    assert await checked(guard, issuer.token())
    assert await checked(guard, issuer.token(issuer.pairs[0]))
    assert issuer.count(KEYS) == 2


async def test_what_a_withdrawn_key_has_signed_is_refused(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    old = issuer.current
    token = issuer.token()
    await checked(guard, token)
    issuer.pairs.append(made("ES256"))
    old.listed = False

    # The list of ended sessions is signed with the new key, and says which keys there are.
    clock.move(timedelta(seconds=3))
    await look(guard)

    with pytest.raises(TokenInvalid):
        await checked(guard, token)
    assert await checked(guard, issuer.token())


async def test_that_a_key_is_withdrawn_which_signs_no_more_is_learnt_from_the_list(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    issuer.pairs.insert(0, made("ES256"))
    clock.move(timedelta(seconds=3))
    await look(guard)
    token = issuer.token(issuer.pairs[0])
    await checked(guard, token)

    issuer.pairs[0].listed = False
    clock.move(timedelta(seconds=3))
    await look(guard)

    with pytest.raises(TokenInvalid):
        await checked(guard, token)


async def test_a_key_that_is_replaced_under_its_id_counts_no_more(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    old = issuer.current
    token = issuer.token()
    await checked(guard, token)
    issuer.pairs[:] = [made("ES256", kid=old.kid)]

    clock.move(timedelta(seconds=301))

    with pytest.raises(TokenInvalid):
        await checked(guard, token)


async def test_keys_that_rotate_all_the_time_fail_nobody(issuer: Issuer, clock: MovableClock) -> None:
    """Each key is published for as long as the header says before it signs, and until its last token is over."""
    issuer.headers["cache-control"] = "public, max-age=10"
    issuer.pairs = [made("EdDSA") for _ in range(11)]
    async with guarding(issuer, revocation="off") as guard:
        for _ in range(60):
            for _ in range(10):
                assert await checked(guard, issuer.token(issuer.pairs[-11]))
            clock.move(timedelta(seconds=1))
            issuer.pairs = [*issuer.pairs[-40:], made("EdDSA")]
            await look(guard)
    assert issuer.count(KEYS) <= 8


# ── while the issuer is away ─────────────────────────────────────────────────────────────────────


async def test_while_the_issuer_is_away_the_keys_at_hand_verify(
    guard: Guard, issuer: Issuer, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.down = True
    for _ in range(50):
        clock.move(timedelta(seconds=60))
        await look(guard)
        assert await checked(guard, issuer.token())
    said = [record.message for record in caplog.records if "keys" in record.message]
    assert said == ["The keys of the issuer cannot be read: down"]

    issuer.down = False
    clock.move(timedelta(seconds=3))
    await look(guard)
    assert "The keys of the issuer can be read again." in caplog.text


async def test_keys_are_not_kept_for_ever(issuer: Issuer, clock: MovableClock) -> None:
    async with guarding(issuer, keys_stale_for=100) as guard:
        token = issuer.token(exp=issuer.now + 10_000)
        await checked(guard, token)
        issuer.down = True
        clock.move(timedelta(seconds=399))
        assert await checked(guard, token)
        clock.move(timedelta(seconds=2))
        with pytest.raises(Unverifiable) as refused:
            await checked(guard, token)

        issuer.down = False
        clock.move(timedelta(seconds=3))
        assert await checked(guard, token)
    assert (refused.value.status, refused.value.retry_after, refused.value.www_authenticate) == (503, 1, None)


async def test_a_request_does_not_wait_for_an_issuer_that_is_silent(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    issuer.held = asyncio.Event()
    clock.move(timedelta(seconds=301))

    async with asyncio.timeout(30):
        for _ in range(3):
            assert await checked(guard, issuer.token())
    assert issuer.count(KEYS) == 2
    issuer.held.set()


async def test_a_service_may_start_while_the_issuer_is_away(issuer: Issuer, clock: MovableClock) -> None:
    issuer.down = True
    async with guarding(issuer) as guard:
        for _ in range(10):
            with pytest.raises(Unverifiable):
                await checked(guard, issuer.token())
        assert issuer.count(METADATA) <= 3  # once for the keys, once for the list
        with pytest.raises(TokenInvalid):
            await checked(guard, "a" * 10_000)

        issuer.down = False
        clock.move(timedelta(seconds=3))
        assert await checked(guard, issuer.token())


async def test_opening_waits_for_a_silent_issuer_no_longer_than_for_one_answer(issuer: Issuer) -> None:
    issuer.held = asyncio.Event()
    async with asyncio.timeout(30), guard_of(issuer, timeout=0.1) as guard:
        assert guard.standing.keys == 0
        issuer.held.set()


async def test_whether_a_key_is_unknown_or_the_issuer_away_makes_a_difference(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    unknown = issuer.token(made("ES256"))
    with pytest.raises(TokenInvalid):
        await checked(guard, unknown)

    issuer.down = True
    clock.move(timedelta(seconds=3))
    for _ in range(2):
        with pytest.raises(Unverifiable):
            await checked(guard, unknown)


BROKEN: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"keys": 1}',
    b'{"keys": {}}',
    b"<html>",
    b"\xff",
    b"[" * 9999,
]


@pytest.mark.parametrize("body", BROKEN)
async def test_a_document_that_is_none_leaves_the_keys_at_hand(
    guard: Guard, issuer: Issuer, clock: MovableClock, body: bytes
) -> None:
    issuer.documents[KEYS] = body or b" "
    clock.move(timedelta(seconds=301))

    assert await checked(guard, issuer.token())
    assert issuer.count(KEYS) == 2


async def test_an_issuer_without_any_key_is_believed(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    issuer.documents[KEYS] = b'{"keys": []}'
    clock.move(timedelta(seconds=301))

    with pytest.raises(TokenInvalid):
        await checked(guard, issuer.token())


class Faulty(Issuer):
    """Raises what no `fetch` should."""

    async def __call__(self, url: str) -> Fetched:
        if self.down:
            raise ZeroDivisionError
        return await super().__call__(url)


async def test_a_fault_of_the_hosts_own_fetch_refuses_and_is_logged(
    clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Faulty(clock, [made("ES256")], down=True)
    async with guarding(issuer) as guard:
        with pytest.raises(Unverifiable):
            await checked(guard, issuer.token())
        issuer.down = False
        clock.move(timedelta(seconds=3))
        assert await checked(guard, issuer.token())
    assert "The guard could not read from the issuer." in caplog.text


# ── where the keys are ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "metadata"),
    [
        ("https://auth.example.com", "https://auth.example.com/.well-known/oauth-authorization-server"),
        (
            "https://shop.example/api/auth",
            "https://shop.example/.well-known/oauth-authorization-server/api/auth",
        ),
        (
            "https://auth.example.com:8443",
            "https://auth.example.com:8443/.well-known/oauth-authorization-server",
        ),
    ],
)
async def test_the_metadata_is_looked_for_where_rfc_8414_says(
    clock: MovableClock, url: str, metadata: str
) -> None:
    issuer = Issuer(clock, [made("ES256")], url=url)
    issuer.documents[metadata] = json.dumps(issuer.metadata()).encode()
    async with guarding(issuer) as guard:
        assert await checked(guard, issuer.token())
    assert issuer.asked[0] == metadata


FOREIGN: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"issuer": f"{URL}/"},
    {"issuer": URL.upper()},
    {"issuer": None},
    {"issuer": [URL]},
    {"jwks_uri": "https://evil.example/jwks.json"},
    {"jwks_uri": "http://auth.example.com/jwks.json"},
    {"jwks_uri": "https://auth.example.com.evil.example/jwks.json"},
    {"jwks_uri": "https://auth.example.com@evil.example/jwks.json"},
    {"jwks_uri": "https://auth.example.com:8443/jwks.json"},
    {"jwks_uri": "https://auth.example.com:99999/jwks.json"},
    {"jwks_uri": "https://auth.example.com/jwks.json\r\nX: y"},
    {"jwks_uri": "//auth.example.com/jwks.json"},
    {"jwks_uri": "/jwks.json"},
    {"jwks_uri": "file:///etc/passwd"},
    {"jwks_uri": ""},
    {"jwks_uri": None},
    {"jwks_uri": 1},
    {"jwks_uri": [KEYS]},
    {"gatepost_revoked_sessions_uri": "https://evil.example/list"},
]


@pytest.mark.parametrize("changed", FOREIGN, ids=str)
async def test_c07_metadata_that_lead_elsewhere_are_not_followed(
    issuer: Issuer, changed: dict[str, Any]
) -> None:
    issuer.documents[METADATA] = json.dumps({**issuer.metadata(), **changed}).encode()
    async with guarding(issuer) as guard:
        with pytest.raises(Unverifiable):
            await checked(guard, issuer.token())
    assert set(issuer.asked) == {METADATA}


async def test_metadata_that_go_bad_leave_the_keys_where_they_were(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    issuer.documents[METADATA] = b"{}"
    clock.move(timedelta(hours=1, seconds=1))
    await look(guard)

    assert await checked(guard, issuer.token())
    assert set(issuer.asked) - {METADATA, KEYS} == {
        url for url in issuer.asked if url.partition("?")[0] == ENDED
    }


# ── for how long ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"cache-control": "public, max-age=60"}, 60),
        ({"cache-control": "MAX-AGE=60"}, 60),
        ({"cache-control": 'max-age="60"'}, 60),
        ({"cache-control": "public,max-age=60", "age": "15"}, 45),
        ({"cache-control": "max-age=60", "age": "600"}, 2),
        ({"cache-control": "max-age=60", "age": "x"}, 60),
        ({"cache-control": "max-age=60", "age": "-5"}, 60),
        ({"cache-control": "s-maxage=60"}, 300),
        ({"cache-control": "no-store"}, 2),
        ({"cache-control": "no-cache, max-age=60"}, 2),
        ({"cache-control": "max-age=0"}, 2),
        ({"cache-control": "max-age=999999999"}, 86_400),
        ({"cache-control": "max-age=abc"}, 300),
    ],
)
def test_a_document_is_fresh_for_as_long_as_its_header_says(headers: dict[str, str], seconds: float) -> None:
    assert max_age(Fetched(b"", headers)) == seconds


def test_a_failure_knows_its_status() -> None:
    assert Unfetched("status 404", 404).status == 404
    assert logging.getLogger("gatepost.guard").name == "gatepost.guard"
