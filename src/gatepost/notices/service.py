"""What people may turn off, and what they have turned off."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, insert

from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.notices import queries
from gatepost.notices.letters import MUTABLE
from gatepost.notices.models import NoticePreference
from gatepost.notices.schemas import NoticePreferencesIn, NoticePreferencesOut
from gatepost.tokens import Tokens
from gatepost.users import Users

__all__ = ["Notices"]


class Notices:
    """A person's preferences. `fresh_for` is how long ago the sign-in of somebody who turns a notice off may be."""

    def __init__(self, work: Work, users: Users, tokens: Tokens, fresh_for: timedelta) -> None:
        self._work = work
        self._users = users
        self._tokens = tokens
        self._fresh_for = fresh_for

    async def of(self, user_id: UUID) -> NoticePreferencesOut:
        """Return what a person has turned off."""
        rows = await self._work.read.rows(queries.MUTED, {"user_id": user_id})
        return _shown({row.kind for row in rows})

    async def choose(self, me: Principal, wanted: NoticePreferencesIn) -> NoticePreferencesOut:
        """Put these in the place of what was turned off before.

        To turn one off needs a fresh sign-in: who has stolen a session shall not silence what would give them away.
        Raises ReauthenticationRequired, TokenInvalid.
        """
        # Locked, so that two who choose at once take turns.
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        rows = (await self._work.execute(queries.MUTED, {"user_id": me.subject})).all()
        before, after = {row.kind for row in rows}, set(wanted.muted)
        if after - before:
            me.need_fresh(self._fresh_for, self._work.now)
        await self._replace(me.subject, before - after, after - before)
        return _shown(after)

    async def _replace(self, user_id: UUID, gone: set[str], new: set[str]) -> None:
        table = NoticePreference
        if gone:
            await self._work.execute(
                delete(table).where(table.user_id == user_id, table.kind.in_(sorted(gone)))
            )
        if new:
            rows = [{"user_id": user_id, "kind": kind, "muted_at": self._work.now} for kind in sorted(new)]
            await self._work.execute(insert(table), rows)


def _shown(muted: set[str]) -> NoticePreferencesOut:
    # A kind that was mutable once and is no more counts for nothing.
    return NoticePreferencesOut(muted=sorted(muted & MUTABLE), mutable=sorted(MUTABLE))
