"""Carrying recorded events to their consumers: at least once, safely by many workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.events import Delivery, EventLog, Lane
from gatepost.core.logging import Logger
from gatepost.core.outbox.claims import IS_DUE, Claim, Claims
from gatepost.core.outbox.lanes import LanePolicy
from gatepost.core.outbox.runner import LaneRunner
from gatepost.core.outbox.settling import Settling

__all__ = ["Outbox", "Overdue"]

_LANES = (LanePolicy(name="default"), LanePolicy(name="mail"))


@dataclass(frozen=True)
class Overdue:
    """How many deliveries of a lane should have been run by now, and since when the oldest."""

    count: int = 0
    since: datetime | None = None


class Outbox:
    """All lanes, each of which a worker drains apart."""

    def __init__(
        self,
        database: Database,
        log: EventLog,
        clock: Clock,
        logger: Logger,
        lanes: Sequence[LanePolicy] = _LANES,
    ) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._claims = Claims(database, log)
        settling = Settling(database)
        self.lanes: Mapping[Lane, LaneRunner] = {
            policy.name: LaneRunner(policy, self._claims, settling, log, clock, logger) for policy in lanes
        }
        self.settling = settling

    @property
    def unheard(self) -> bool:
        """Whether nobody listens, so that there is nothing to do."""
        return not self._log.consumers

    async def claim(self, limit: int, lane: Lane = "default") -> Sequence[Claim]:
        """Lease due deliveries to the caller, who has to run and settle them."""
        lease = self.lanes[lane].policy.lease
        return await self._claims.take(lane, limit, self._clock.now(), lease, timedelta(0))

    async def overdue(self) -> Mapping[str, Overdue]:
        """Return what is overdue in each lane."""
        found = dict.fromkeys(map(str, self.lanes), Overdue())
        if self.unheard:
            return found
        statement = (
            select(Delivery.lane, func.count().label("due"), func.min(Delivery.due_at).label("since"))
            .where(
                IS_DUE,
                Delivery.lane.in_(list(self.lanes)),
                Delivery.due_at <= self._clock.now(),
                Delivery.consumer.in_(list(self._log.consumers)),
            )
            .group_by(Delivery.lane)
        )
        rows = await self._database.reads.scan(statement)
        return {**found, **{row.lane: Overdue(row.due, row.since) for row in rows}}

    async def next_due(self, lane: Lane) -> datetime | None:
        """Return when the next delivery of a lane is due; None if nothing waits."""
        if self.unheard:
            return None
        statement = (
            select(Delivery.due_at)
            .where(IS_DUE, Delivery.lane == lane, Delivery.consumer.in_(list(self._log.consumers)))
            .order_by(Delivery.due_at)
            .limit(1)
        )
        row = await self._database.reads.first(statement)
        return row.due_at if row else None
