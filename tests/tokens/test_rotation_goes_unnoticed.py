"""Keys rotate every minute of a clock that runs fast, and nobody who verifies meets a key that they do not know.

The clock of the services, the age of what they remember, and the verifier's cache all go by the same moved clock. To
have a key rotate takes less than a second of real time.
"""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.ids import new_id
from gatepost.tokens import KeyState, SigningKeys, TokenInvalid
from tests.conftest import make_settings, open_client

# A key signs for 51 seconds, 50 of which the next one is published: the shortest that the settings allow.
LIFETIME = timedelta(seconds=40)
OPTIONS = {"jwks_cache_time": "PT20S", "key_lifetime": "PT51S", "access_lifetime": "PT40S"}


@dataclass
class Verifier:
    """Another service: verifies with another library, and keeps the public keys exactly as long as it is told."""

    clock: MovableClock
    issuer: str
    doors: list[AsyncClient]
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    keep_until: datetime | None = None
    fetched: int = 0
    verified: int = 0
    unknown: list[str] = field(default_factory=list)

    async def verify(self, token: str) -> None:
        if self.keep_until is None or self.clock.now() >= self.keep_until:
            await self._fetch()
        header = jwt.get_unverified_header(token)
        key = self.keys.get(header["kid"])
        if key is None:
            self.unknown.append(header["kid"])
            return
        options: Any = {"verify_exp": False, "verify_iat": False}  # by our clock, below
        claims = jwt.decode(
            token, key, [key.algorithm_name], options, audience=self.issuer, issuer=self.issuer
        )
        assert claims["exp"] > self.clock.now().timestamp()
        self.verified += 1

    async def _fetch(self) -> None:
        answer = await random.choice(self.doors).get("/.well-known/jwks.json")
        age = int(answer.headers["Cache-Control"].removeprefix("public, max-age="))
        self.keys = {key.key_id or "": key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        self.keep_until = self.clock.now() + timedelta(seconds=age)
        self.fetched += 1


@dataclass
class World:
    """Two services, of which the first rotates the keys, and somebody who verifies."""

    clock: MovableClock
    services: list[Gatepost]
    verifier: Verifier
    live: list[tuple[datetime, str]] = field(default_factory=list)
    kids: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    async def tend(self) -> int:
        first = self.services[0]
        return await first.run(lambda work: first.build(SigningKeys, work).tend())

    async def step(self) -> None:
        """Let a moment pass; each service signs a token; both, and the verifier, verify new and old ones."""
        self.clock.move(timedelta(seconds=random.uniform(0.2, 2.0)))
        if random.random() < 0.5:
            await self.tend()
        now = self.clock.now()
        new = [(now + LIFETIME, await self._signed(service)) for service in self.services]
        self.live = [(ends, token) for ends, token in self.live if ends > now + timedelta(seconds=1)]
        some = random.sample(self.live, min(6, len(self.live)))
        for _, token in [*new, *some]:
            await self.verifier.verify(token)
            for service in self.services:
                try:
                    await service.access_tokens.verify(token)
                except TokenInvalid:
                    self.refused.append(token)
        self.live += new

    async def _signed(self, service: Gatepost) -> str:
        tokens = service.access_tokens
        await tokens.ready()
        ends = self.clock.now() + timedelta(days=1)
        token = await tokens.issue(new_id(), new_id(), "first-party", "account", ends)
        self.kids.add(jwt.get_unverified_header(token)["kid"])
        return token


@pytest.fixture
async def world(settings: Settings, clock: MovableClock) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        services = []
        for _ in range(2):
            wanted = make_settings(settings.database_location, settings.data_dir, tokens=OPTIONS)
            service = Gatepost(wanted, clock=clock)
            service.keys._monotonic = lambda: clock.now().timestamp()
            await stack.enter_async_context(service.lifespan())
            services.append(service)
        doors = [await stack.enter_async_context(open_client(service)) for service in services]
        yield World(clock, services, Verifier(clock, settings.issuer, doors))


async def rotate_and_verify(world: World, tokens: int) -> None:
    steps = 0
    while world.verifier.verified + len(world.verifier.unknown) < tokens:
        await world.step()
        steps += 1
    assert world.verifier.unknown == []
    assert world.refused == []
    # Each key took its turn, and the keys were kept for many steps at a time.
    assert len(world.kids) > steps / 80
    assert world.verifier.fetched < steps / 2
    listed = await world.services[0].build(SigningKeys, world.services[0].reading()).listed()
    assert [key.state for key in listed].count(KeyState.SIGNING) == 1
    assert len(listed) < 6


async def test_c15_tokens_verify_while_keys_rotate(world: World) -> None:
    await rotate_and_verify(world, 2000)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_c15_20000_tokens_verify_while_keys_rotate(world: World) -> None:
    await rotate_and_verify(world, 20_000)


async def test_a_verifier_that_keeps_the_keys_meets_an_unknown_one_when_a_switch_does_not_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tests above could not fail."""
    # Nobody prepares a key beforehand, which the verifier would know by then.
    monkeypatch.setattr(random, "random", lambda: 0.9)
    first = world.services[0]
    await world.step()
    assert world.verifier.unknown == []

    await first.run(lambda work: first.build(SigningKeys, work).switch())
    for service in world.services:
        service.keys.forget_all()
    await world.step()

    assert world.verifier.unknown != []
