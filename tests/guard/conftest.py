"""An issuer, and a guard that trusts it."""

from collections.abc import AsyncIterator

import pytest

from gatepost.core.clock import MovableClock
from gatepost.guard import Guard
from tests.guard.issuer import Issuer, guarding, made


@pytest.fixture
def issuer(clock: MovableClock, request: pytest.FixtureRequest) -> Issuer:
    return Issuer(clock, [made(getattr(request, "param", "ES256"))])


@pytest.fixture
async def guard(issuer: Issuer) -> AsyncIterator[Guard]:
    async with guarding(issuer) as opened:
        yield opened
