"""What an export looks like."""

from datetime import datetime
from typing import Any

from pydantic import Field

from gatepost.core.schemas import Output

__all__ = ["ExportOut"]


class ExportOut(Output):
    """All that is held about a person, by kind. A later version may add kinds and columns."""

    made_at: datetime
    account: dict[str, Any] = Field(description="The account itself.")
    parts: dict[str, list[dict[str, Any]]] = Field(
        description="Everything else, the oldest first: `sessions`, `events`, and so on. Secrets are left out."
    )
