"""What is shown of a session."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from gatepost.core.principal import Carrier
from gatepost.core.schemas import Output

__all__ = ["SessionList", "SessionOut", "SessionsEnded"]


class SessionOut(Output):
    """A sign-in that is live."""

    id: UUID
    current: bool = Field(description="Whether it is the one that asks.")
    device: str | None = Field(description="Browser and system, such as `Firefox on Linux`.")
    address: str | None = Field(description="Where the sign-in came from, as far as it is kept.")
    client_id: str
    carrier: Carrier = Field(description="How it travels: as tokens, or in a browser's cookie.")
    amr: list[str] = Field(description="How the person signed in (RFC 8176).")
    acr: str = Field(description="How sure that made us.")
    auth_time: datetime
    created_at: datetime
    last_seen_at: datetime = Field(description="To the minute.")
    expires_at: datetime = Field(description="When it ends at the latest.")


class SessionList(Output):
    """All live sessions of a person, the one that was used last first."""

    items: list[SessionOut]


class SessionsEnded(Output):
    """How many were ended."""

    ended: int
