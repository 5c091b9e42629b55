"""Making a copy of all that is held about a person."""

from datetime import timedelta

from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.exports import queries
from gatepost.exports.events import AccountExported
from gatepost.exports.schemas import ExportOut
from gatepost.tokens import Tokens
from gatepost.users import UserNotFound, Users

__all__ = ["Exports"]


class Exports:
    """Copies of accounts. `fresh_for` is how long ago the sign-in of somebody who takes one may be."""

    def __init__(self, work: Work, users: Users, tokens: Tokens, fresh_for: timedelta) -> None:
        self._work = work
        self._users = users
        self._tokens = tokens
        self._fresh_for = fresh_for

    async def of(self, me: Principal) -> ExportOut:
        """Return all that is held about the caller. Needs a fresh sign-in: it is what a thief of a session wants.

        Raises ReauthenticationRequired, TokenInvalid, UserNotFound.
        """
        me.need_fresh(self._fresh_for, self._work.now)
        found = {
            part.name: [
                dict(row._mapping)  # noqa: SLF001  its public name
                for row in await self._work.read.scan(part.query, {"user_id": me.subject})
            ]
            for part in queries.PARTS
        }
        accounts = found.pop(queries.ACCOUNT.name)
        if not accounts:
            raise UserNotFound
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        self._work.events.record(AccountExported(subject=me.subject))
        return ExportOut(made_at=self._work.now, account=accounts[0], parts=found)
