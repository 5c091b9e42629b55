"""The worker: runs deliveries and jobs that are due, sleeps until woken or until something is due."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from gatepost.core.clock import Clock
from gatepost.core.database import DatabaseUnavailable
from gatepost.core.errors import TransactionConflict
from gatepost.core.logging import Logger
from gatepost.core.outbox import LaneRunner, Outbox
from gatepost.core.schedule import Schedule
from gatepost.core.wake import Wake

__all__ = ["Worker", "running"]

LONGEST_SLEEP = 5.0
_SHORTEST_SLEEP = 0.01
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
        self._clock = clock
        self._log = log
        self._before_round = before_round

        self._bells = {lane: wake.bell() for lane in outbox.lanes}
        self._jobs_bell = wake.bell()

    async def run(self) -> None:
        """Work for ever: at each lane and at the jobs, side by side."""
        loops = [asyncio.create_task(self._for_ever(lane)) for lane in self._outbox.lanes.values()]
        loops.append(asyncio.create_task(self._for_ever(None)))
        try:
            died, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for each in died:
                each.result()
        finally:
            # Once each: a second word would cut off the giving back of what they hold.
            for each in loops:
                each.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def drain(self) -> int:
        """Run until nothing is due; return how many deliveries were run."""
        total = 0
        while ran := sum([await lane.drain() for lane in self._lanes()]):
            total += ran
        return total

    def _lanes(self) -> Iterable[LaneRunner]:
        return () if self._outbox.unheard else self._outbox.lanes.values()

    async def _for_ever(self, lane: LaneRunner | None) -> None:
        """Work off one lane, or the jobs. No fault ends it, but what is no Exception."""
        try:
            while True:
                try:
                    if self._before_round is not None:
                        await self._before_round()
                    await (self._jobs() if lane is None else self._deliveries(lane))
                except (DatabaseUnavailable, TransactionConflict) as error:
                    self._log.warning("worker.database_unavailable", error=type(error.__cause__).__name__)
                    await asyncio.sleep(_PAUSE_AFTER_FAULT)
                except Exception as error:  # noqa: BLE001  a fault of ours: said aloud, and no reason to stop for ever
                    self._log.error("worker.failed", exc_info=error)
                    await asyncio.sleep(_PAUSE_AFTER_FAULT)
        finally:
            if lane is not None:
                await lane.stop()

    async def _jobs(self) -> None:
        """Run one batch of a job that is due, or wait until one may be."""
        if await self._schedule.run_due() == 0:
            await self._jobs_bell.wait(
                max(min(self._schedule.seconds_to_next, LONGEST_SLEEP), _SHORTEST_SLEEP)
            )

    async def _deliveries(self, lane: LaneRunner) -> None:
        """Begin what is due; once there is nothing to begin, wait until there may be."""
        if self._outbox.unheard:
            await self._bells[lane.policy.name].wait(LONGEST_SLEEP)
            return
        claimed = await lane.top_up()
        if lane.full:
            await lane.one_ended()
        elif not claimed:
            await lane.written()
            seconds = await self._seconds_to_next(lane)
            await lane.one_ended(self._bells[lane.policy.name].wait(seconds))

    async def _seconds_to_next(self, lane: LaneRunner) -> float:
        due = await self._outbox.next_due(lane.policy.name)
        seconds = LONGEST_SLEEP if due is None else (due - self._clock.now()).total_seconds()
        return max(min(seconds, LONGEST_SLEEP), _SHORTEST_SLEEP)


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
