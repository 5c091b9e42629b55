"""The worker: runs deliveries and jobs that are due, sleeps until woken or until something is due."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from gatepost.core.clock import Clock
from gatepost.core.database import DatabaseUnavailable
from gatepost.core.errors import TransactionConflict
from gatepost.core.logging import Logger
from gatepost.core.outbox import LaneRunner, Outbox
from gatepost.core.schedule import Schedule
from gatepost.core.wake import Bell, Wake

__all__ = ["Worker", "running"]

LONGEST_SLEEP = 5.0
_SHORTEST_SLEEP = 0.01
# How soon a lane is looked at again that was worked off at the last look, in seconds. Whatever comes meanwhile is
# claimed and settled together: a transaction each would cost more than many a delivery.
_GATHERING = 0.25
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

        self._watches = [_Watch(lane, outbox, wake.bell(name), clock) for name, lane in outbox.lanes.items()]
        self._jobs_bell = wake.bell("jobs")

    async def run(self) -> None:
        """Work for ever: at each lane and at the jobs, side by side."""
        loops = [asyncio.create_task(self._at_lane(watch)) for watch in self._watches]
        loops.append(asyncio.create_task(self._for_ever(self._jobs)))
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

    async def _at_lane(self, watch: "_Watch") -> None:
        watch.begin()
        try:
            await self._for_ever(watch.once)
        finally:
            await watch.lane.stop()

    async def _for_ever(self, once: Callable[[], Awaitable[None]]) -> None:
        """Work at one thing. No fault ends it, but what is no Exception."""
        while True:
            try:
                if self._before_round is not None:
                    await self._before_round()
                await once()
            except (DatabaseUnavailable, TransactionConflict) as error:
                self._log.warning("worker.database_unavailable", error=type(error.__cause__).__name__)
                await asyncio.sleep(_PAUSE_AFTER_FAULT)
            except Exception as error:  # noqa: BLE001  a fault of ours: said aloud, and no reason to stop for ever
                self._log.error("worker.failed", exc_info=error)
                await asyncio.sleep(_PAUSE_AFTER_FAULT)

    async def _jobs(self) -> None:
        """Run one batch of a job that is due, or wait until one may be."""
        if await self._schedule.run_due() == 0:
            await self._jobs_bell.wait(
                max(min(self._schedule.seconds_to_next, LONGEST_SLEEP), _SHORTEST_SLEEP)
            )


class _Watch:
    """Works at one lane, and knows when to look whether something is due: when rung for, and when time has come."""

    def __init__(self, lane: LaneRunner, outbox: Outbox, bell: Bell, clock: Clock) -> None:
        self.lane = lane
        self._outbox = outbox
        self._bell = bell
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Know nothing yet, so that the first thing is to look."""
        # By the loop's clock: when to look, and from when on a bell is reason enough.
        self._look_at = self._not_before = 0.0
        self._planned = self._called = False

    async def once(self) -> None:
        """Begin what is due; once there is nothing to begin, wait until there may be."""
        if self._outbox.unheard:
            await self._bell.wait(LONGEST_SLEEP)
            return
        if self.lane.has_room and self._seconds() <= 0:
            await self._look()
        self.lane.start()
        if not self.lane.has_room:
            await self.lane.one_ended()
        elif self._seconds() > 0:
            if not self._planned:
                await self._plan()
            self._heed_put_back()
            await self.lane.one_ended(self._called_or_due(max(self._seconds(), _SHORTEST_SLEEP)))

    def _seconds(self) -> float:
        return self._look_at - _now()

    async def _look(self) -> None:
        begun = _now()
        self._bell.silence()
        self._called = False
        if await self.lane.claim() < self.lane.policy.batch:
            self._look_at = begun + LONGEST_SLEEP
            self._not_before = begun + _GATHERING
            self._planned = False

    async def _plan(self) -> None:
        """Find out when the next is due."""
        if self.lane.idle:
            await self.lane.written()
        due = await self._outbox.next_due(self.lane.policy.name)
        self._look_at = self._loop_time(due)
        self._planned = True

    def _heed_put_back(self) -> None:
        """Look when what has failed meanwhile is due again, however long others still run."""
        again_at = self.lane.takes_again_at()
        if again_at is not None:
            self._look_at = min(self._look_at, self._loop_time(again_at))

    def _loop_time(self, due: datetime | None) -> float:
        seconds = LONGEST_SLEEP if due is None else (due - self._clock.now()).total_seconds()
        return max(_now() + min(seconds, LONGEST_SLEEP), self._not_before)

    async def _called_or_due(self, seconds: float) -> None:
        if self._called:
            await asyncio.sleep(seconds)  # that it is called again meanwhile says nothing new
            return
        await self._bell.wait(seconds)
        self._look_at = max(_now(), self._not_before)
        self._planned = self._called = True


def _now() -> float:
    return asyncio.get_running_loop().time()


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
