"""The rules about people's records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError

from gatepost.core.ids import new_id
from gatepost.core.languages import preferred
from gatepost.core.paging import Cursors, Page
from gatepost.core.work import Work
from gatepost.users import queries
from gatepost.users.emails import canonical_email, fold
from gatepost.users.errors import EmailTaken, StaleVersion, UserNotFound
from gatepost.users.events import (
    UserChanged,
    UserDeleted,
    UserDisabled,
    UserEnabled,
    UserLocked,
    UserRegistered,
    UserUnlocked,
)
from gatepost.users.models import User
from gatepost.users.schemas import NewProfile, ProfileChange, UserFilter

__all__ = ["Users"]

_NULLABLE = {"name", "locale", "locked_until"}


class Users:
    """People: their addresses, profile and state."""

    def __init__(self, work: Work, cursors: Cursors) -> None:
        self._work = work
        self._cursors = cursors

    async def profile(self, user_id: UUID) -> Any:
        """Return the committed profile as a row with the fields of `UserOut` and `version`. Raises UserNotFound."""
        row = await self._work.read.first(queries.BY_ID, {"user_id": user_id})
        if row is None:
            raise UserNotFound
        return row

    async def profile_by_email(self, email: str) -> Any:
        """Return the committed profile of the person with this address. Raises UserNotFound."""
        try:
            wanted = {"email_canonical": canonical_email(email)}
        except ValueError:
            raise UserNotFound from None
        row = await self._work.read.first(queries.BY_EMAIL, wanted)
        if row is None:
            raise UserNotFound
        return row

    async def page(self, wanted: UserFilter) -> Page[Any]:
        """Return one page of people. Raises CursorInvalid."""
        searching = wanted.q is not None
        after = self._cursors.read(wanted.cursor, wanted.listing()) if wanted.cursor else None
        exact = canonical_email(wanted.email) if wanted.email else None
        prefix = fold(wanted.q) if wanted.q else None
        rows = await self._work.read.scan(queries.page(wanted, exact, prefix, after))
        items, more = rows[: wanted.limit], len(rows) > wanted.limit
        position = queries.page_position(items[-1], searching=searching) if more else None
        return Page(
            items=list(items), next=self._cursors.make(position, wanted.listing()) if position else None
        )

    async def add(self, new: NewProfile, by: str) -> User:
        """Add a person. Raises EmailTaken, also when another unit adds the same address at this moment."""
        now = self._work.now
        user = User(
            id=new_id(),
            email=new.email,
            email_canonical=canonical_email(new.email),
            name=new.name,
            locale=new.locale or next(iter(preferred(self._work.client.accept_language)), None),
            is_active=True,
            created_at=now,
            updated_at=now,
        )
        self._work.session.add(user)
        await self._flush()
        self._work.events.record(UserRegistered(subject=user.id, by=by))
        return user

    async def load(self, user_id: UUID, if_version: int | None = None) -> User:
        """Return the person, to be changed in this unit. Raises UserNotFound, StaleVersion.

        The row is locked (where the database locks rows), so that nobody signs in or changes it meanwhile.
        """
        user = await self._work.session.get(User, user_id, with_for_update=True)
        if user is None:
            raise UserNotFound
        if if_version is not None and user.version != if_version:
            raise StaleVersion
        return user

    async def change(
        self, user: User, change: ProfileChange, told: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Apply the change; return the names of the fields that differ now. Raises EmailTaken, StaleVersion.

        `told` is what a notice to the address of before is to have besides.
        """
        given = change.model_dump(exclude_unset=True)
        # Null unlocks, takes a name or a language away; elsewhere it says nothing.
        wanted = {name: value for name, value in given.items() if value is not None or name in _NULLABLE}
        changed = [name for name, value in wanted.items() if getattr(user, name) != value]
        if wanted.get("is_active") is False and user.delete_after is not None:
            # Shut by its owner, who may open it again. Who is disabled may not.
            changed.append("is_active")
        before = {**_correspondent(user), **(told or {})}
        for name in changed:
            if name != "email_verified":
                setattr(user, name, wanted[name])
        if "email" in changed:
            user.email_canonical = canonical_email(user.email)
            # What was proven was the address of before.
            user.email_verified_at = None
        if "is_active" in changed:
            user.delete_after = None
        if wanted.get("email_verified", user.email_verified) != user.email_verified:
            user.email_verified_at = self._work.now if wanted["email_verified"] else None
        if changed:
            user.updated_at = self._work.now
            await self._flush()
            self._record_change(user, changed, before)
        return changed

    def _record_change(self, user: User, changed: list[str], before: Mapping[str, Any]) -> None:
        if "is_active" in changed:
            event = UserEnabled if user.is_active else UserDisabled
            self._work.events.record(event(subject=user.id))
        if "locked_until" in changed:
            until = user.locked_until
            self._work.events.record(
                UserLocked(subject=user.id, until=until.isoformat())
                if until
                else UserUnlocked(subject=user.id)
            )
        fields = [name for name in changed if name not in {"is_active", "locked_until"}]
        if fields:
            # Whoever has the address of before is to hear of it.
            private = before if "email" in fields else None
            self._work.events.record(UserChanged(subject=user.id, fields=fields), private=private)

    async def touch(self, user: User) -> None:
        """Count a change that stands in another table (a password, a role): ETags and locks must see it."""
        user.updated_at = self._work.now
        # The clock may not have moved since the last change; the version has to.
        flag_modified(user, "updated_at")
        await self._flush()

    async def close(self, user: User, until: datetime) -> None:
        """Disable a person who is going to be erased then, unless somebody enables them before."""
        user.is_active, user.delete_after, user.updated_at = False, until, self._work.now
        await self._flush()
        self._work.events.record(UserDisabled(subject=user.id))

    async def delete(self, user: User) -> None:
        """Erase the person; what hangs on it goes with the row."""
        before = _correspondent(user)
        await self._work.session.delete(user)
        await self._flush()
        self._work.events.record(UserDeleted(subject=user.id), private=before)

    async def _flush(self) -> None:
        try:
            await self._work.session.flush()
        except IntegrityError as error:
            if "email_canonical" in str(error.orig):
                raise EmailTaken from error
            raise
        except StaleDataError as error:
            raise StaleVersion from error


def _correspondent(user: User) -> Mapping[str, Any]:
    """Return how to write to the person, for when the row says so no more."""
    return {"to": user.email, "name": user.name, "locale": user.locale}
