"""Reading the moved clock and the mail."""

from uuid import UUID

from sqlalchemy import Executable, exists, select

from gatepost.core.database import Reader
from gatepost.testing.models import ClockRow, MailRow

__all__ = ["CLOCK", "mail", "traces"]

CLOCK = select(ClockRow.moves, ClockRow.ahead_microseconds, ClockRow.skipped_microseconds)

_TRACES = select(
    exists().where(ClockRow.id.is_not(None)).label("clock"),
    exists().where(MailRow.id.is_not(None)).label("mail"),
)


def mail(recipient: str | None, after: UUID | None, limit: int) -> Executable:
    """Return the statement for the mail to a canonical address, or to all; the newest first."""
    found = select(*MailRow.__table__.c).order_by(MailRow.id.desc()).limit(limit)
    if recipient is not None:
        found = found.where(MailRow.recipient_canonical == recipient)
    return found if after is None else found.where(MailRow.id > after)


async def traces(read: Reader) -> list[str]:
    """Return what tests have left in the database: "clock" if they moved it, "mail" if some was caught."""
    row = await read.first(_TRACES)
    return [name for name in ("clock", "mail") if row is not None and getattr(row, name)]
