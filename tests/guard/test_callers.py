"""Whom the guard lets in, what it tells of them, and what a route may ask."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from gatepost.core.clock import MovableClock
from gatepost.guard import (
    AudienceWrong,
    Caller,
    Guard,
    GuardOptions,
    Needs,
    Refused,
    ScopeMissing,
    StepUpRequired,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from tests.guard.issuer import AUDIENCE, KEYS, METADATA, URL, Issuer, bearing, checked, guard_of, guarding
from tests.security.forge import forged

every_algorithm = pytest.mark.parametrize("issuer", ["ES256", "EdDSA", "RS256"], indirect=True)


@every_algorithm
async def test_a_token_of_the_issuer_for_this_service_is_let_in(guard: Guard, issuer: Issuer) -> None:
    claims = issuer.claims(acr="two", amr=["pwd", "otp"], auth_time=issuer.now - 60)
    caller = await checked(guard, forged(issuer.header(), claims, issuer.current.sign))

    assert isinstance(caller, Caller)
    assert (caller.subject, caller.session_id) == (claims["sub"], claims["sid"])
    assert (caller.client_id, caller.token_id) == ("first-party", claims["jti"])
    assert caller.scope == {"account", "orders:read"}
    assert (caller.may("orders:read"), caller.may("orders")) == (True, False)
    assert (caller.issued_at, caller.expires_at) == (claims["iat"], claims["exp"])
    assert (caller.acr, caller.amr, caller.auth_time) == ("two", ("pwd", "otp"), issuer.now - 60)
    assert caller.claims["aud"] == AUDIENCE
    assert "claims" not in repr(caller)


async def test_a_caller_cannot_be_changed(guard: Guard, issuer: Issuer) -> None:
    token = issuer.token(cnf_like={"a": [1, {"b": 2}]})
    caller: Any = await checked(guard, token)

    with pytest.raises(dataclasses.FrozenInstanceError):
        caller.subject = "somebody else"
    with pytest.raises(TypeError):
        caller.claims["sub"] = "somebody else"
    with pytest.raises(TypeError):
        caller.claims["cnf_like"]["a"] = []
    assert caller.claims["cnf_like"]["a"][1]["b"] == 2
    assert (await checked(guard, token)) is caller


async def test_a_token_without_a_session_is_let_in_too(guard: Guard, issuer: Issuer) -> None:
    claims = {name: value for name, value in issuer.claims().items() if name not in {"sid", "scope"}}
    caller = await checked(guard, forged(issuer.header(), claims, issuer.current.sign))

    assert (caller.session_id, caller.scope) == (None, frozenset())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-authorization", b"Bearer x")],
        [(b"authorization", b"Basic dXNlcjpwYXNz")],
        [(b"authorization", b"")],
        [(b"authorization", b"token abc")],
    ],
)
async def test_whoever_brings_no_token_is_asked_for_one(guard: Guard, headers: Any) -> None:
    with pytest.raises(TokenMissing) as refused:
        await guard.check(headers, method="GET", path="/")

    # RFC 6750, section 3.1: no error code when nothing was tried.
    assert refused.value.www_authenticate == 'Bearer realm="gatepost"'
    assert (refused.value.status, refused.value.code) == (401, "token-missing")


async def test_two_credentials_are_none(guard: Guard, issuer: Issuer) -> None:
    headers = [*bearing(issuer.token()), *bearing(issuer.token())]
    with pytest.raises(TokenInvalid):
        await guard.check(headers, method="GET", path="/")


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
async def test_the_scheme_is_read_in_any_case(guard: Guard, issuer: Issuer, scheme: bytes) -> None:
    headers = bearing(issuer.token(), scheme=scheme)
    assert (await guard.check(headers, method="GET", path="/")).subject


async def test_a_token_that_is_no_request_is_verified_too(guard: Guard, issuer: Issuer) -> None:
    assert (await guard.verify(issuer.token(), Needs.of("account"))).may("account")
    with pytest.raises(ScopeMissing):
        await guard.verify(issuer.token(), Needs.of("orders:write"))


# ── times ────────────────────────────────────────────────────────────────────────────────────────


async def test_clocks_may_differ_by_the_leeway_and_no_more(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    now = clock.now().timestamp()
    at_the_edge = {
        "exp": issuer.token(exp=int(now) - 29),
        "iat": issuer.token(iat=int(now) + 30),
        "nbf": issuer.token(nbf=int(now) + 30),
    }
    beyond = {
        "exp": issuer.token(exp=int(now) - 31),
        "iat": issuer.token(iat=int(now) + 32),
        "nbf": issuer.token(nbf=int(now) + 32),
    }

    for token in at_the_edge.values():
        assert await checked(guard, token)
    for name, token in beyond.items():
        with pytest.raises(TokenExpired if name == "exp" else TokenInvalid):
            await checked(guard, token)


async def test_a_remembered_token_dies_when_it_says(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    token = issuer.token()
    await checked(guard, token)
    assert guard.standing.remembered_tokens == 1

    clock.move(timedelta(seconds=929))
    await checked(guard, token)
    clock.move(timedelta(seconds=2))

    for _ in range(2):
        with pytest.raises(TokenExpired) as refused:
            await checked(guard, token)
    assert refused.value.www_authenticate == 'Bearer realm="gatepost", error="invalid_token"'
    assert guard.standing.remembered_tokens == 0


# ── audience, scope, step-up ─────────────────────────────────────────────────────────────────────


async def test_a_token_for_several_services_is_for_each_of_them(guard: Guard, issuer: Issuer) -> None:
    assert await checked(guard, issuer.token(aud=["https://other.example", AUDIENCE]))
    assert await checked(guard, issuer.token(aud=[AUDIENCE]))


async def test_a_token_for_another_service_says_so(guard: Guard, issuer: Issuer) -> None:
    for audience in (URL, "https://other.example", ["https://other.example"], []):
        with pytest.raises(AudienceWrong) as refused:
            await checked(guard, issuer.token(aud=audience))
    assert (refused.value.status, refused.value.code) == (401, "audience-wrong")
    assert refused.value.www_authenticate == 'Bearer realm="gatepost", error="invalid_token"'


async def test_the_audience_is_the_issuer_unless_it_is_told(issuer: Issuer) -> None:
    guard = Guard(URL, fetch=issuer, options=GuardOptions(poll_every=60))
    async with guard:
        assert await checked(guard, issuer.token(aud=URL))
        with pytest.raises(AudienceWrong):
            await checked(guard, issuer.token(aud=AUDIENCE))


async def test_a_route_gets_callers_with_all_its_scopes(guard: Guard, issuer: Issuer) -> None:
    token = issuer.token(scope="orders:read orders:write")
    assert await checked(guard, token, needs=Needs.of("orders:read", "orders:write"))

    for scope in ("orders", "orders:read:all", "ORDERS:READ", "admin"):
        with pytest.raises(ScopeMissing) as refused:
            await checked(guard, token, needs=Needs.of("orders:read", scope))
    assert (refused.value.status, refused.value.code) == (403, "scope-missing")
    challenge = 'Bearer realm="gatepost", error="insufficient_scope", scope="admin orders:read"'
    assert refused.value.www_authenticate == challenge


async def test_a_route_may_ask_for_a_fresh_authentication(guard: Guard, issuer: Issuer) -> None:
    needs = Needs.of(max_age=600)
    assert await checked(guard, issuer.token(auth_time=issuer.now - 590), needs=needs)

    # RFC 9470, section 3
    expected = 'Bearer realm="gatepost", error="insufficient_user_authentication", max_age="600"'
    without: list[dict[str, Any]] = [{"auth_time": issuer.now - 602}, {}]
    for claims in without:
        with pytest.raises(StepUpRequired) as refused:
            await checked(guard, issuer.token(**claims), needs=needs)
        assert (refused.value.status, refused.value.www_authenticate) == (401, expected)


async def test_a_route_may_ask_for_a_stronger_authentication(guard: Guard, issuer: Issuer) -> None:
    needs = Needs.of(acr=("two", "three"))
    assert await checked(guard, issuer.token(acr="three"), needs=needs)

    without: list[dict[str, Any]] = [{"acr": "one"}, {"acr": "tw"}, {}]
    for claims in without:
        with pytest.raises(StepUpRequired) as refused:
            await checked(guard, issuer.token(**claims), needs=needs)
        expected = 'error="insufficient_user_authentication", acr_values="two three"'
        assert expected in str(refused.value.www_authenticate)


@pytest.mark.parametrize("word", ["", "two words", 'quo"te', "back\\slash", "ümlaut", "line\n"])
def test_a_need_that_could_not_stand_in_a_challenge_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Needs.of(word)
    with pytest.raises(ValueError, match="printable ASCII"):
        Needs.of(acr=[word])


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_an_age_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="max_age"):
        Needs.of(max_age=seconds)


# ── the guard itself ─────────────────────────────────────────────────────────────────────────────


async def test_a_guard_that_is_not_open_lets_nobody_in(issuer: Issuer) -> None:
    guard = guard_of(issuer)
    with pytest.raises(RuntimeError, match="not open"):
        await checked(guard, issuer.token())
    async with guard:
        assert await checked(guard, issuer.token())
        with pytest.raises(RuntimeError, match="open already"):
            await guard.__aenter__()
    with pytest.raises(RuntimeError, match="not open"):
        await guard.verify(issuer.token())


async def test_a_guard_can_be_opened_again(issuer: Issuer) -> None:
    guard = guard_of(issuer)
    for _ in range(2):
        async with guard:
            assert await checked(guard, issuer.token())


async def test_opening_that_is_cut_off_leaves_no_task_behind(issuer: Issuer) -> None:
    issuer.held = asyncio.Event()
    guard = guard_of(issuer)
    opening = asyncio.create_task(guard.__aenter__())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    with pytest.raises(RuntimeError, match="not open"):
        await guard.verify(issuer.token())


async def test_it_asks_once_and_then_for_no_request(guard: Guard, issuer: Issuer) -> None:
    for _ in range(50):
        await checked(guard, issuer.token())

    assert (issuer.count(METADATA), issuer.count(KEYS)) == (1, 1)


async def test_it_says_how_it_stands(guard: Guard, issuer: Issuer, clock: MovableClock) -> None:
    clock.move(timedelta(seconds=10))
    standing = guard.standing
    assert (standing.keys, standing.ended_sessions) == (1, 0)
    assert standing.keys_age == pytest.approx(10)
    assert standing.list_age is not None
    assert 9 < standing.list_age < 12


async def test_before_anything_was_read_it_says_so(issuer: Issuer) -> None:
    issuer.down = True
    async with guarding(issuer) as guard:
        assert (guard.standing.keys_age, guard.standing.list_age) == (None, None)


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "ftp://auth.example.com",
        "auth.example.com",
        "https://",
        "https://user:password@auth.example.com",
        "https://auth.example.com?x=1",
        "https://auth.example.com#x",
        "https://auth.example.com:99999",
        "https://auth.example.com/ x",
        "https://auth.example.com/\nx",
        "file:///etc/passwd",
    ],
)
def test_an_issuer_that_cannot_be_reached_safely_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Guard(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"])
def test_without_tls_an_issuer_is_reached_on_this_machine_alone(url: str) -> None:
    assert Guard(url).issuer == url
    with pytest.raises(ValueError, match="not on this machine"):
        Guard("http://gatepost:8000")
    assert Guard("http://gatepost:8000", options=GuardOptions(allow_http=True))


@pytest.mark.parametrize(
    "given",
    [
        {"leeway": -1},
        {"leeway": 301},
        {"poll_every": 0},
        {"timeout": 0},
        {"remembered": 0},
        {"proof_window": 0},
        {"max_feed_age": 1},
        {"keys_stale_for": -1},
        {"leeway": float("nan")},
    ],
)
def test_an_option_out_of_its_bounds_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        GuardOptions(**given)


def test_every_refusal_has_a_code_of_its_own() -> None:
    def below(kind: type[Refused]) -> list[type[Refused]]:
        return [kind, *(each for one in kind.__subclasses__() for each in below(one))]

    codes = [kind.code for kind in below(Refused)]
    assert len(set(codes)) == len(codes)
