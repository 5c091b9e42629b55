"""What somebody who is signed in does with passkeys of theirs."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import delete, update

from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.passkeys import queries
from gatepost.passkeys.challenges import session_binding
from gatepost.passkeys.enrolment import Enrolment
from gatepost.passkeys.errors import LastWayIn, PasskeyNotFound
from gatepost.passkeys.events import PasskeyRemoved, PasskeyRenamed
from gatepost.passkeys.models import Passkey
from gatepost.passkeys.schemas import CreationOptions, NewPasskey, PasskeyList, PasskeyOut
from gatepost.passkeys.site import Site
from gatepost.tokens import Tokens
from gatepost.users import User, Users

__all__ = ["Changed", "HasAnotherWay", "NeedAuthority", "OwnPasskeys"]

NeedAuthority = Callable[[Principal], Awaitable[None]]
"""Raises ReauthenticationRequired unless somebody's sign-in is enough to change what lets them in."""

Changed = Callable[[User, UUID], Awaitable[None]]
"""Does what follows when a person has one passkey more or less, in this session; their row is locked."""

HasAnotherWay = Callable[[UUID], Awaitable[bool]]
"""Tells, inside the transaction, whether a person can sign in without any passkey."""


class OwnPasskeys:
    """A person's passkeys. What other rooms know of the caller is asked of `need_authority` and `has_another_way`."""

    def __init__(
        self,
        work: Work,
        users: Users,
        tokens: Tokens,
        enrolment: Enrolment,
        site: Site,
        need_authority: NeedAuthority,
        has_another_way: HasAnotherWay,
        changed: Changed,
    ) -> None:
        self._work = work
        self._users = users
        self._tokens = tokens
        self._enrolment = enrolment
        self._site = site
        self._need_authority = need_authority
        self._has_another_way = has_another_way
        self._changed = changed

    async def of(self, user_id: UUID) -> PasskeyList:
        """Return a person's passkeys."""
        asked = {"user_id": user_id}
        rows = await self._work.read.rows(queries.OWN, asked)
        known = await self._work.read.first(queries.HANDLE, asked)
        items = [PasskeyOut.model_validate(row) for row in rows]
        return PasskeyList(items=items, rp_id=self._site.rp_id, user_handle=known.handle if known else None)

    async def creation_options(self, me: Principal) -> CreationOptions:
        """Return what the browser needs to make a passkey. The answer counts for this session alone.

        Raises ReauthenticationRequired, TooManyPasskeys, TokenInvalid.
        """
        await self._need_authority(me)
        return await self._enrolment.options(await self._locked(me), session_binding(me.session_id))

    async def register(self, me: Principal, new: NewPasskey) -> PasskeyOut:
        """Add the passkey that a browser made. What is refused uses its challenge up. Other sessions end.

        Raises ReauthenticationRequired, PasskeyInvalid, TooManyPasskeys, TokenInvalid.
        """
        await self._need_authority(me)
        checked = await self._enrolment.check(me.subject, session_binding(me.session_id), new)
        user = await self._locked(me)
        added = await self._enrolment.add(user, checked)
        await self._changed(user, me.session_id)
        return added

    async def rename(self, me: Principal, passkey_id: UUID, name: str) -> PasskeyOut:
        """Give a passkey another name. Raises ReauthenticationRequired, PasskeyNotFound, TokenInvalid."""
        await self._need_authority(me)
        await self._locked(me)
        statement = (
            update(Passkey)
            .where(Passkey.id == passkey_id, Passkey.user_id == me.subject)
            .values(name=name)
            .returning(*queries.SHOWN)
            .execution_options(synchronize_session=False)
        )
        row = (await self._work.execute(statement)).first()
        if row is None:
            raise PasskeyNotFound
        self._work.events.record(PasskeyRenamed(subject=me.subject, passkey_id=passkey_id))
        return PasskeyOut.model_validate(row)

    async def remove(self, me: Principal, passkey_id: UUID) -> None:
        """Remove a passkey, unless it is the only way in. Other sessions end.

        Raises ReauthenticationRequired, PasskeyNotFound, LastWayIn, FactorNeeded, TokenInvalid.
        """
        await self._need_authority(me)
        user = await self._locked(me)
        statement = delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == me.subject)
        found = await self._work.execute(
            statement.returning(Passkey.id).execution_options(synchronize_session=False)
        )
        if found.first() is None:
            raise PasskeyNotFound
        left = (await self._work.execute(queries.COUNT, {"user_id": me.subject})).scalar_one()
        # Raising takes the deletion back. The row of the person is locked, so nobody removes the other meanwhile.
        if not left and not await self._has_another_way(me.subject):
            raise LastWayIn
        # Also counts the change: a sign-in that has checked the passkey sees another version and looks again.
        await self._changed(user, me.session_id)
        self._work.events.record(PasskeyRemoved(subject=me.subject, passkey_id=passkey_id, reason="by_owner"))

    async def _locked(self, me: Principal) -> User:
        """Return the caller's row, locked. Raises TokenInvalid."""
        user = await self._users.load(me.subject)
        await self._tokens.confirm(me)
        return user
