"""The worker: runs deliveries and jobs that are due, sleeps until woken or until something is due."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from gatepost.core.clock import Clock
from gatepost.core.database import DatabaseUnavailable
from gatepost.core.errors import TransactionConflict
from gatepost.core.logging import Logger
from gatepost.core.outbox import Outbox
from gatepost.core.schedule import Schedule
from gatepost.core.wake import Wake

__all__ = ["Worker", "running"]

LONGEST_SLEEP = 5.0
_PAUSE_AFTER_FAULT = 2.0


class Worker:
    """Runs deliveries and jobs until it is cancelled. Any number may run at once, in any processes."""

    def __init__(
        self,
        outbox: Outbox,
        schedule: Schedule,
        wake: Wake,
        clock: Clock,
        log: Logger,
        before_round: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._schedule = schedule
        self._wake = wake
        self._clock = clock
        self._log = log
        self._before_round = before_round

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                if self._before_round is not None:
                    await self._before_round()
                # One batch of a job at a time, so that no delivery waits for the end of a long one.
                if await self._outbox.run_due() + await self._schedule.run_due() == 0:
                    await self._wake.wait(await self._idle_seconds())
            except (DatabaseUnavailable, TransactionConflict) as error:
                self._log.warning("worker.database_unavailable", error=type(error.__cause__).__name__)
                await asyncio.sleep(_PAUSE_AFTER_FAULT)
            except Exception as error:  # noqa: BLE001  a fault of ours: said aloud, and no reason to stop for ever
                self._log.error("worker.failed", exc_info=error)
                await asyncio.sleep(_PAUSE_AFTER_FAULT)

    async def drain(self) -> int:
        """Run until nothing is due; return how many deliveries were run."""
        total = 0
        while ran := await self._outbox.run_due():
            total += ran
        return total

    async def _idle_seconds(self) -> float:
        sleep = min(self._schedule.seconds_to_next, LONGEST_SLEEP)
        due = await self._outbox.next_due()
        if due is not None:
            sleep = min((due - self._clock.now()).total_seconds(), sleep)
        return max(sleep, 0.01)


@asynccontextmanager
async def running(worker: Worker) -> AsyncGenerator[asyncio.Task[None]]:
    """Run the worker meanwhile; it has ended when this has. Raises what it died of."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
