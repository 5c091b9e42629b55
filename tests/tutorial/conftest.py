"""Further services beside the one that every test gets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.conftest import open_client

Open = Callable[[Settings], Awaitable[AsyncClient]]


@pytest.fixture
async def open_service(clock: MovableClock) -> AsyncIterator[Open]:
    """Start a service with other settings; return a client at its door."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings) -> AsyncClient:
            service = Gatepost(settings, clock=clock)
            await stack.enter_async_context(service.lifespan())
            return await stack.enter_async_context(open_client(service))

        yield start
