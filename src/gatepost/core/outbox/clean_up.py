"""What becomes of deliveries with time."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from gatepost.core.database import Transaction
from gatepost.core.events import Delivery
from gatepost.core.outbox.states import DONE, DROPPED, EXPIRED, FAILED
from gatepost.core.schedule import BATCH, Job, delete_past

__all__ = ["expired_deliveries", "settled_deliveries"]


def settled_deliveries(keep: timedelta) -> list[Job]:
    """Return the jobs that delete deliveries this long after they were made or given up."""
    return [
        delete_past(f"deliveries.{state}", Delivery.id, Delivery.due_at, Delivery.state == state, keep=keep)
        for state in (DONE, FAILED, EXPIRED, DROPPED)
    ]


_NOW = bindparam("now")
# What is settled for good has no end any more. What a worker may have in its hands is left alone.
_PAST = (
    select(Delivery.id)
    .where(Delivery.expires_at <= _NOW, Delivery.due_at <= _NOW)
    .order_by(Delivery.expires_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
    .cte("past")
)
_EXPIRE = (
    update(Delivery)
    .where(Delivery.id.in_(select(_PAST.c.id)))
    .values(state=EXPIRED, private=None, source=None, expires_at=None)
    .returning(Delivery.id)
    .execution_options(synchronize_session=False)
)


def expired_deliveries() -> Job:
    """Return the job that erases what was private in those given up, when nobody may be sent it any more."""

    async def run(transaction: Transaction, now: datetime) -> int:
        return len((await transaction.execute(_EXPIRE, {"now": now})).all())

    return Job("deliveries.overtaken", run, effect="settled as expired")
