"""Attacks on the keys: what rotation could break or revive, and one key's tokens under another's name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.tokens import KeyInfo, SigningKeys
from tests.conftest import make_settings, open_client
from tests.make import Make, SignedIn
from tests.security.expect import assert_challenged
from tests.security.forge import Signer, decoded, forged, our_signer, signer
from tests.security.operations import no_database_matters

LEAD, LIFETIME = timedelta(seconds=330), timedelta(days=90)
TOKENS, ALLOWANCE = timedelta(minutes=15), timedelta(seconds=60)
SECOND = timedelta(seconds=1)


async def rotated(gatepost: Gatepost, clock: MovableClock) -> None:
    """Rotate as the schedule does: prepare the next key, wait, let it sign."""
    await gatepost.run(lambda work: gatepost.build(SigningKeys, work).prepare())
    clock.move(LEAD)
    await tended(gatepost)


async def tended(gatepost: Gatepost) -> None:
    await gatepost.run(lambda work: gatepost.build(SigningKeys, work).tend())


async def revoked(gatepost: Gatepost, kid: str) -> KeyInfo:
    key, _ = await gatepost.run(lambda work: gatepost.build(SigningKeys, work).revoke(kid))
    return key


def kid_of(me: SignedIn) -> str:
    return jwt.get_unverified_header(me.access_token)["kid"]


async def status(client: AsyncClient, token: str) -> int:
    answer = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 200:
        assert_challenged(answer)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    return answer.status_code


async def published(client: AsyncClient) -> set[str]:
    return {key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]}


def long_lived(token: str, sign: Signer) -> str:
    """Return the token with ten more years to live, signed by whoever has the key."""
    head, body, _ = token.split(".")
    claims = decoded(body)
    return forged(decoded(head), {**claims, "exp": claims["exp"] + 10 * 365 * 86_400}, sign)


# ── rotation breaks no token ─────────────────────────────────────────────────────────────────────


async def test_c15_an_old_key_verifies_until_its_last_token_has_expired(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    await rotated(gatepost, clock)
    # The last token that the old key signs, in the moment before the switch.
    await gatepost.run(lambda work: gatepost.build(SigningKeys, work).prepare())
    clock.move(LEAD)
    last = await make.signed_in()
    await tended(gatepost)
    assert kid_of(last) != (await gatepost.keys.signing()).kid

    clock.move(TOKENS - SECOND)
    await tended(gatepost)
    assert await status(client, last.access_token) == 200
    clock.move(SECOND)
    assert await status(client, last.access_token) == 401


async def test_c15_shorter_tokens_from_now_on_break_no_longer_ones_of_before(
    settings: Settings, clock: MovableClock
) -> None:
    def with_lifetime(lifetime: str) -> Gatepost:
        wanted = make_settings(
            settings.database_location, settings.data_dir, tokens={"access_lifetime": lifetime}
        )
        return Gatepost(wanted, clock=clock)

    before, after = with_lifetime("PT10H"), with_lifetime("PT1M")
    async with before.lifespan(), open_client(before) as client:
        me = await Make(before, client).signed_in()
    async with after.lifespan(), open_client(after) as client:
        await rotated(after, clock)
        clock.move(timedelta(hours=9))
        await tended(after)
        assert await status(client, me.access_token) == 200


@no_database_matters
async def test_c15_a_second_library_verifies_old_and_new_tokens_throughout(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock, settings: Settings
) -> None:
    tokens = []
    for _ in range(3):
        tokens.append((await make.signed_in()).access_token)
        await rotated(gatepost, clock)
        keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
        for token in tokens[-2:]:
            options: Any = {"verify_exp": False, "verify_iat": False}
            key = keys[jwt.get_unverified_header(token)["kid"]]
            jwt.decode(
                token, key, ["ES256"], options=options, audience=settings.issuer, issuer=settings.issuer
            )


# ── nor does it revive any ───────────────────────────────────────────────────────────────────────


async def test_c15_a_stolen_retired_key_signs_nothing_that_outlives_its_time(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    stolen = long_lived(me.access_token, await our_signer(gatepost))
    await rotated(gatepost, clock)
    clock.move(TOKENS + ALLOWANCE - SECOND)
    assert await status(client, stolen) == 200

    clock.move(SECOND)
    gatepost.keys.forget_all()  # some seconds later

    # Its time is over for every process, although nobody has removed it yet.
    assert await status(client, stolen) == 401
    assert kid_of(me) not in await published(client)
    await tended(gatepost)
    assert await status(client, stolen) == 401


async def test_c15_a_stolen_key_that_was_revoked_signs_nothing_at_once(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    me = await make.signed_in()
    sign = await our_signer(gatepost)
    remembered = long_lived(me.access_token, sign)
    assert await status(client, remembered) == 200

    await revoked(gatepost, kid_of(me))

    for token in (remembered, me.access_token, long_lived(remembered, sign)):
        assert await status(client, token) == 401
    assert kid_of(me) not in await published(client)


async def test_c15_nothing_revives_a_revoked_key(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock, settings: Settings
) -> None:
    me = await make.signed_in()
    await revoked(gatepost, kid_of(me))

    async def still_refused() -> None:
        assert await status(client, me.access_token) == 401
        assert kid_of(me) not in await published(client)
        assert (await gatepost.keys.signing()).kid != kid_of(me)

    await rotated(gatepost, clock)
    await still_refused()
    await gatepost.run(lambda work: gatepost.build(SigningKeys, work).switch())
    await still_refused()
    await gatepost.sealed.reseal()
    again = Gatepost(settings, clock=clock)
    async with again.lifespan():
        assert (await again.keys.signing()).kid != kid_of(me)
    await still_refused()


@pytest.fixture
async def others(settings: Settings, clock: MovableClock) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with AsyncExitStack() as stack:

        async def other() -> AsyncClient:
            service = Gatepost(settings, clock=clock)
            await stack.enter_async_context(service.lifespan())
            return await stack.enter_async_context(open_client(service))

        yield other


async def test_c15_a_process_that_is_told_nothing_refuses_a_revoked_key_after_seconds(
    gatepost: Gatepost, make: Make, others: Callable[[], Awaitable[AsyncClient]]
) -> None:
    elsewhere = [await others() for _ in range(3)]
    me = await make.signed_in()
    assert [await status(each, me.access_token) for each in elsewhere] == [200] * 3
    await revoked(gatepost, kid_of(me))

    async with asyncio.timeout(5):
        for each in elsewhere:
            while await status(each, me.access_token) == 200:  # noqa: ASYNC110  nobody tells them
                await asyncio.sleep(0.05)


async def test_c15_after_an_emergency_sessions_go_on_under_a_new_key(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    me = await make.signed_in()
    await revoked(gatepost, kid_of(me))

    refreshed = await make.refresh(me.refresh_token)

    assert refreshed.status_code == 200
    token = refreshed.json()["access_token"]
    assert jwt.get_unverified_header(token)["kid"] != kid_of(me)
    assert await status(client, token) == 200


async def test_c15_many_unknown_key_ids_are_one_look_at_the_database(
    gatepost: Gatepost, client: AsyncClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await make.signed_in()
    header, body, _ = me.access_token.split(".")
    asked = 0
    rows = gatepost.database.reads.rows

    async def counted(statement: Any, parameters: Any = None) -> Any:
        nonlocal asked
        asked += "signing_keys" in str(statement)
        return await rows(statement, parameters)

    monkeypatch.setattr(gatepost.database.reads, "rows", counted)
    now = 1000.0
    gatepost.keys._monotonic = lambda: now
    gatepost.keys.forget_all()
    for number in range(100):
        token = forged({**decoded(header), "kid": f"guess {number}"}, decoded(body), lambda _: bytes(64))
        assert await status(client, token) == 401

    assert asked == 1


# ── one key's tokens under another's name ────────────────────────────────────────────────────────


@no_database_matters
async def test_c02_each_key_signs_under_its_own_name_and_algorithm_alone(
    settings: Settings, clock: MovableClock
) -> None:
    """With a key of each kind published at the same time, none can be taken for another."""
    signers: dict[str, tuple[str, Signer]] = {}
    token = ""
    async with AsyncExitStack() as stack:
        for algorithm in ("ES256", "EdDSA", "RS256"):
            wanted = make_settings(
                settings.database_location, settings.data_dir, tokens={"algorithm": algorithm}
            )
            service = Gatepost(wanted, clock=clock)
            await stack.enter_async_context(service.lifespan())
            await service.run(lambda work, it=service: it.build(SigningKeys, work).switch())
            key: Any = await service.keys.signing()
            signers[algorithm] = key.kid, signer(key.jwk.private_key)
            client = await stack.enter_async_context(open_client(service))
            token = token or (await Make(service, client).signed_in()).access_token
        assert len(await published(client)) == 4  # and the one of the first start

        head, body, _ = token.split(".")
        for name, (kid, _) in signers.items():
            for alg in (*signers, "HS256", "PS256", "none"):
                for owner, (_, sign) in signers.items():
                    made = forged({**decoded(head), "kid": kid, "alg": alg}, decoded(body), sign)
                    right = name == alg == owner
                    assert await status(client, made) == (200 if right else 401), (name, alg, owner)


@no_database_matters
async def test_c06_a_key_id_is_compared_whole(gatepost: Gatepost, client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    sign = await our_signer(gatepost)
    head, body, _ = me.access_token.split(".")
    kid = kid_of(me)
    for wrong in (kid[:-1], kid + "A", kid.lower(), kid.upper(), f" {kid}", f"{kid} ", kid[1:], f"{kid}\x00"):
        assert await status(client, forged({**decoded(head), "kid": wrong}, decoded(body), sign)) == 401
    assert await status(client, forged(decoded(head), decoded(body), sign)) == 200
