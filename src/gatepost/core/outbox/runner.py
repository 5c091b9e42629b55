"""Running the deliveries of one lane: claims ahead, runs some at once, and waits for none that is slow."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime, timedelta

from gatepost.core.clock import Clock
from gatepost.core.events import EventLog, RecordedEvent
from gatepost.core.logging import Logger
from gatepost.core.outbox.claims import Claim, Claims
from gatepost.core.outbox.errors import Deferred, Undeliverable
from gatepost.core.outbox.lanes import LanePolicy, delay_after
from gatepost.core.outbox.settling import Outcome, Settling
from gatepost.core.outbox.states import DONE, DROPPED, DUE, EXPIRED, FAILED

__all__ = ["LaneRunner"]

# How long those that run when the worker is told to stop may go on, in seconds.
_LAST_RUN = 2.0
_KNOWN = (Deferred, Undeliverable)


class LaneRunner:
    """Works off one lane. `results` counts what became of deliveries, by a word for each outcome."""

    def __init__(
        self,
        policy: LanePolicy,
        claims: Claims,
        settling: Settling,
        log: EventLog,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self.policy = policy
        self.results: Counter[str] = Counter()
        self._claims = claims
        self._settling = settling
        self._log = log
        self._clock = clock
        self._logger = logger
        self._waiting: deque[Claim] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._again_at: datetime | None = None

    @property
    def has_room(self) -> bool:
        """Whether more may be claimed: fewer wait for a place than there are places."""
        return len(self._waiting) < self.policy.places

    @property
    def idle(self) -> bool:
        """Whether nothing of this lane is in this worker's hands."""
        return not self._running and not self._waiting

    def takes_again_at(self) -> datetime | None:
        """Return, once, when the first is due again of those that were put back meanwhile."""
        again_at, self._again_at = self._again_at, None
        return again_at

    def start(self) -> None:
        """Start what there are places for."""
        while self._waiting and len(self._running) < self.policy.places:
            claim = self._waiting.popleft()
            if self._clock.now() > claim.begin_by:
                self._give_back(claim)
            else:
                self._running.add(asyncio.get_running_loop().create_task(self._run(claim)))

    async def claim(self) -> int:
        """Claim a batch of what is due; return how many it has. Raises DatabaseUnavailable, TransactionConflict."""
        policy = self.policy
        begin_within = policy.lease - timedelta(seconds=policy.longest_run)
        claims = await self._claims.take(
            policy.name, policy.batch, self._clock.now(), policy.lease, begin_within
        )
        self._waiting.extend(claims)
        return len(claims)

    async def one_ended(self, other: Awaitable[object] | None = None) -> None:
        """Return when one that runs has ended, or when `other` has. Raises what a consumer died of."""
        others = [] if other is None else [asyncio.ensure_future(other)]
        waiting = {*self._running, *others}
        try:
            if waiting:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for task in [task for task in self._running if task.done()]:
            self._running.discard(task)
            task.result()

    async def drain(self) -> int:
        """Run until nothing is due; return how many deliveries were claimed."""
        total = 0
        try:
            while (claimed := await self.claim() if self.has_room else 0) or not self.idle:
                total += claimed
                self.start()
                await self.one_ended()
                await self._settling.written()
        except BaseException:
            await self.stop()
            raise
        return total

    async def stop(self) -> None:
        """Let what runs end if it does so soon, and give back the rest as if it had never been claimed."""
        running = list(self._running)
        if running:
            await asyncio.wait(running, timeout=_LAST_RUN)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()
        while self._waiting:
            self._give_back(self._waiting.popleft())
        with suppress(Exception):  # else they wait for the end of the lease, and count an attempt
            await self._settling.written()

    async def written(self) -> None:
        """Return when it is written down what became of those that have ended. Raises DatabaseUnavailable."""
        await self._settling.written()

    # ── one delivery ─────────────────────────────────────────────────────────────────────────────

    async def _run(self, claim: Claim) -> None:
        try:
            event = await self._admitted(claim)
            if event is None:
                return
            async with asyncio.timeout(self.policy.longest_run):
                await self._log.consumers[claim.consumer].run(event)
        except asyncio.CancelledError as error:
            if _is_ending():
                self._give_back(claim)
                raise
            self._put_back(claim, error)
        except Undeliverable as error:
            self._give_up(claim, "refused", error)
        except Exception as error:  # noqa: BLE001  a consumer may fail in any way; it must stop none behind it
            self._put_back(claim, error)
        else:
            self._settle(claim, DONE, "done")
            await self._settling.not_behind(self.policy.places)

    async def _admitted(self, claim: Claim) -> RecordedEvent | None:
        """Return the event if it is to be delivered; otherwise settle the delivery."""
        if claim.event is None:
            self._give_up(claim, "failed", None, why="Unsealable")
        elif claim.attempts > self.policy.most_attempts:
            # What fails is given up at the last attempt. After that one nobody was left to say anything.
            self._give_up(claim, "failed", None, why="Crashed")
        elif self._has_expired(claim):
            self._settle(claim, EXPIRED, "expired")
        elif claim.attempts == 1 and not await self.policy.gate.admits(claim):
            self._report(claim, "delivery.dropped")
            self._settle(claim, DROPPED, "dropped")
        else:
            await self.policy.gate.turn()
            if not self._has_expired(claim):
                return claim.event
            self._settle(claim, EXPIRED, "expired")
        return None

    def _has_expired(self, claim: Claim) -> bool:
        return claim.expires_at is not None and claim.expires_at <= self._clock.now()

    def _settle(self, claim: Claim, state: str, result: str) -> None:
        self.results[result] += 1
        self._settling.add(Outcome(claim, state))

    def _give_back(self, claim: Claim) -> None:
        self._again(Outcome(claim, DUE, again_at=self._clock.now(), counted=False))

    def _again(self, outcome: Outcome) -> None:
        times = (outcome.again_at, self._again_at)
        self._again_at = min(time for time in times if time is not None)
        self._settling.add(outcome)

    def _put_back(self, claim: Claim, error: BaseException) -> None:
        if claim.attempts >= self.policy.most_attempts:
            self._give_up(claim, "failed", error)
            return
        self.results["deferred"] += 1
        self._report(claim, "delivery.failed", given_up=False, error=error)
        again_at = self._clock.now() + timedelta(seconds=delay_after(claim.attempts))
        self._again(Outcome(claim, DUE, _kind(error), again_at))

    def _give_up(
        self, claim: Claim, result: str, error: BaseException | None, *, why: str | None = None
    ) -> None:
        self.results[result] += 1
        self._report(claim, "delivery.failed", given_up=True, error=error)
        # Put back, not settled: it is kept whole, so that it can be tried again.
        self._settling.add(Outcome(claim, FAILED, _kind(error) if error else why, self._clock.now()))

    def _report(
        self, claim: Claim, event: str, *, given_up: bool = True, error: BaseException | None = None
    ) -> None:
        self._logger.warning(
            event,
            consumer=claim.consumer,
            event_type=claim.type,
            delivery=str(claim.id),
            attempts=claim.attempts,
            given_up=given_up,
            # What a consumer knows is one line; what it did not expect is to be looked into.
            **({"reason": str(error)} if isinstance(error, _KNOWN) else {"exc_info": error}),
        )


def _kind(error: BaseException) -> str:
    """Return the kind of an error only: its text may hold what the consumer was sending."""
    code = error.code if isinstance(error, _KNOWN) else None
    return f"{type(error).__qualname__} {code or ''}".strip()[:500]


def _is_ending() -> bool:
    """Tell whether it is the worker that is being cancelled, not something that a consumer waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
