"""Checking and setting passwords."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update

from gatepost.core.hashing import Hashing, HashingBusy
from gatepost.core.work import Work
from gatepost.passwords import queries
from gatepost.passwords.events import PasswordChanged, PasswordDropped, PasswordSetter
from gatepost.passwords.models import Password
from gatepost.passwords.policy import PasswordPolicy
from gatepost.users import Standing

__all__ = ["CheckedPassword", "Passwords"]


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """The outcome of a check. `standing` is None for an unknown account; that and a wrong password look alike."""

    correct: bool
    standing: Standing | None
    hash: str | None = field(repr=False)
    renewed: str | None = field(default=None, repr=False)

    @property
    def user_id(self) -> UUID | None:
        """Whose password it would be."""
        return self.standing.user_id if self.standing else None


class Passwords:
    """Storing, checking and renewing password hashes."""

    def __init__(self, work: Work, hashing: Hashing, policy: PasswordPolicy) -> None:
        self._work = work
        self._hashing = hashing
        self._policy = policy
        self._source = work.client.network

    def expect_turn(self) -> None:
        """Return if a password could be checked in time. Raises HashingBusy: before anything costs anything."""
        self._hashing.expect(self._source)

    async def check(self, account: str | None, password: str) -> CheckedPassword:
        """Check a password by canonical address. Before the transaction: it takes as long as hashing.

        None stands for what is no address: it is checked against nobody, and takes as long. Raises HashingBusy.
        """
        row = await self._work.read.first(queries.BY_EMAIL, {"email_canonical": account or ""})
        return await self._check(row, password)

    async def check_of(self, user_id: UUID, password: str) -> CheckedPassword:
        """Check the password of a known person. Raises HashingBusy."""
        return await self._check(await self._work.read.first(queries.BY_USER, {"user_id": user_id}), password)

    async def _check(self, row: Any, password: str) -> CheckedPassword:
        if row is None:
            await self._hashing.verify(password, None, self._source)
            return CheckedPassword(correct=False, standing=None, hash=None)
        correct = await self._hashing.verify(password, row.hash, self._source)
        return CheckedPassword(correct, Standing.of(row), row.hash)

    async def hashed_anew(self, checked: CheckedPassword, password: str) -> CheckedPassword:
        """Add a new hash, for `renew`, if the stored one is outdated. Before the transaction.

        And after all that may refuse: it takes as long as a check, which nobody shall be able to see.
        """
        if checked.hash is None or not self._hashing.outdated(checked.hash):
            return checked
        with suppress(HashingBusy):  # the next sign-in will renew it
            return replace(checked, renewed=await self._hashing.hash(password, self._source))
        return checked

    async def unchanged(self, checked: CheckedPassword) -> bool:
        """Tell, inside the transaction, whether the hash that was checked is still the person's."""
        stored = await self._work.session.get(Password, checked.user_id)
        return stored is not None and stored.hash == checked.hash

    async def renew(self, checked: CheckedPassword) -> None:
        """Replace an outdated hash by the one made of the same password."""
        if checked.renewed is None:
            return
        statement = (
            update(Password)
            .where(Password.user_id == checked.user_id, Password.hash == checked.hash)
            .values(hash=checked.renewed)
        )
        await self._work.execute(statement)

    async def prepare(self, password: str, email: str) -> str:
        """Return the hash of a new password that the policy allows. Before the transaction.

        Raises PasswordRefused, HashingBusy.
        """
        self._policy.check(password, email)
        return await self._hashing.hash(password, self._source)

    async def put_first(self, user_id: UUID, hashed: str) -> None:
        """Store a prepared hash with a new account."""
        self._work.session.add(Password(user_id=user_id, hash=hashed, changed_at=self._work.now))

    async def put(self, user_id: UUID, hashed: str, by: PasswordSetter) -> None:
        """Store a prepared hash in the place of another. The caller has locked the person's row."""
        await self._work.session.merge(Password(user_id=user_id, hash=hashed, changed_at=self._work.now))
        self._work.events.record(PasswordChanged(subject=user_id, by=by))

    async def drop(self, user_id: UUID) -> None:
        """Take a person's password away, if they have one. The caller has locked the person's row."""
        gone = delete(Password).where(Password.user_id == user_id).returning(Password.user_id)
        found = await self._work.execute(gone.execution_options(synchronize_session=False))
        if found.first() is not None:
            self._work.events.record(PasswordDropped(subject=user_id))
