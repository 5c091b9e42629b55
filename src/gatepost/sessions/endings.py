"""Why a session is over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gatepost.sessions.models import EndReason
from gatepost.sessions.settings import SessionOptions

__all__ = ["Ended", "over"]


@dataclass(frozen=True, slots=True)
class Ended:
    """The reason, and the event that tells more, if there is one."""

    reason: EndReason
    event: UUID | None = None


def over(row: Any, options: SessionOptions, now: datetime) -> Ended | None:
    """Return why the session that a row shows (`queries.ENDED`) is over; None if it is live."""
    if row.ended_at is not None:
        return Ended(EndReason(row.end_reason), row.end_event)
    if min(row.expires_at, row.created_at + options.lifetime) <= now:
        return Ended(EndReason.EXPIRED)
    if row.last_seen_at + options.idle_lifetime <= now:
        return Ended(EndReason.EXPIRED_IDLE)
    return None
