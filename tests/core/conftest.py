"""What tests of the outbox begin with."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gatepost import Consumer, Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.conftest import make_settings
from tests.core.listeners import Log, Start, Thing


@pytest.fixture
def seen() -> Log:
    return Log()


@pytest.fixture
async def start(settings: Settings, clock: MovableClock, seen: Log) -> AsyncIterator[Start]:
    """Start another process's service on the same database, whose worker runs when it is told to."""
    quiet = make_settings(settings.database_location, settings.data_dir, run_worker=False, log_level="error")
    async with AsyncExitStack() as stack:

        async def one() -> Gatepost:
            service = Gatepost(quiet, clock=clock, consumers=[Consumer("log", [Thing], seen.run)])
            await stack.enter_async_context(service.lifespan())
            return service

        yield one
