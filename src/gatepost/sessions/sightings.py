"""When sessions were last used: written at most once a minute, and nobody waits for it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update

from gatepost.core.clock import Clock
from gatepost.core.database import DatabaseUnavailable
from gatepost.core.errors import TransactionConflict
from gatepost.core.logging import Logger
from gatepost.core.work import Work
from gatepost.sessions.models import Session

__all__ = ["SEEN_EVERY", "Sightings"]

SEEN_EVERY = timedelta(minutes=1)
_MOST = 500


class Sightings:
    """Collects who was seen, and writes it down in the background, many at a time."""

    def __init__(
        self, work: Callable[[], AbstractAsyncContextManager[Work]], clock: Clock, log: Logger
    ) -> None:
        self._work = work
        self._clock = clock
        self._log = log
        self._seen: set[UUID] = set()
        self._writing: asyncio.Task[None] | None = None

    def saw(self, session_id: UUID, last_seen_at: datetime) -> None:
        """Note that a session is in use, which was last known to be at `last_seen_at`."""
        if self._clock.now() - last_seen_at < SEEN_EVERY:
            return
        self._seen.add(session_id)
        if self._writing is None or self._writing.done():
            # In a context of its own: the request's deadline and id are not this task's.
            self._writing = asyncio.get_running_loop().create_task(self._write(), context=Context())

    async def written(self) -> None:
        """Return when everything that was noted has been written down, or could not be."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._seen:
            some = [self._seen.pop() for _ in range(min(len(self._seen), _MOST))]
            now = self._clock.now()
            # Only what nobody has written down meanwhile: many processes see one session.
            statement = (
                update(Session)
                .where(
                    Session.id.in_(some), Session.last_seen_at <= now - SEEN_EVERY, Session.ended_at.is_(None)
                )
                .values(last_seen_at=now)
                .execution_options(synchronize_session=False)
            )
            try:
                async with self._work() as work:
                    await work.execute(statement)
            except (DatabaseUnavailable, TransactionConflict) as error:
                # Whoever is still there will be seen again.
                self._log.warning("sessions.sightings_lost", error=type(error).__name__)
                return
