"""Options of sessions."""

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AddressDetail", "SessionOptions"]

AddressDetail = Literal["full", "network", "none"]


class SessionOptions(BaseModel):
    """How long a sign-in lasts, how many there may be, and what is kept of where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lifetime: timedelta = Field(
        timedelta(days=30),
        gt=timedelta(0),
        description="A session ends this long after sign-in, used or not. Shortened, it holds for sessions that exist.",
    )
    idle_lifetime: timedelta = Field(
        timedelta(days=14),
        gt=timedelta(minutes=2),
        description="A session that is not used for this long ends, to the minute. Holds for sessions that exist.",
    )
    most_per_user: int = Field(
        100, ge=1, le=1000, description="One more sign-in ends the session that was not used for longest."
    )
    address_detail: AddressDetail = Field(
        "full",
        description="What is kept of the address of a sign-in: `full`, `network` (IPv4 /24, IPv6 /48) or `none`.",
    )
    retention: timedelta = Field(
        timedelta(days=30),
        ge=timedelta(days=1),
        description="How long a session that is over is kept, with the address and browser it was started from.",
    )

    def bounds(self, now: datetime) -> dict[str, datetime]:
        """Return the parameters of `queries.LIVE`."""
        return {"now": now, "born_after": now - self.lifetime, "seen_after": now - self.idle_lifetime}

    def ends_at(self, row: Any) -> datetime:
        """Return when a session ends by itself if it is not used again."""
        return min(row.expires_at, row.created_at + self.lifetime, row.last_seen_at + self.idle_lifetime)
