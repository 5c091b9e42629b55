"""Signing up where nobody shall learn by it who has an account: the same answer after the same work."""

from typing import Any, Protocol

from gatepost.accounts.events import SignUpRepeated
from gatepost.accounts.schemas import NewAccount
from gatepost.accounts.settings import AccountOptions
from gatepost.accounts.verification import Verification
from gatepost.core.ids import new_id
from gatepost.core.work import Work
from gatepost.proofs import MailProofs, Purpose
from gatepost.users import EmailTaken, User, UserNotFound, Users, canonical_email

__all__ = ["HiddenSignUp"]


class Create(Protocol):
    """Creates an account with a prepared hash."""

    async def __call__(self, new: NewAccount, hashed: str, by: str) -> User:
        """Return the person. Raises EmailTaken."""
        ...


class HiddenSignUp:
    """The journey of who signs up, and of who has signed up before. `way_in` is what the link in their mail is for."""

    def __init__(
        self,
        work: Work,
        users: Users,
        verification: Verification,
        proofs: MailProofs,
        options: AccountOptions,
        way_in: Purpose,
    ) -> None:
        self._work = work
        self._users = users
        self._verification = verification
        self._proofs = proofs
        self._options = options
        self._way_in = way_in

    async def of(self, new: NewAccount, hashed: str, create: Create) -> User:
        """Create an account, or tell its owner that there is one; return what an account that is new looks like."""
        person = await self._person(new.email)
        if person is None:
            try:
                # The other way has a savepoint, too.
                async with self._work.session.begin_nested():
                    user = await create(new, hashed, "sign-up")
            except EmailTaken:
                person = await self._person(new.email)
            else:
                await self._proofs.drop(user.id, Purpose.VERIFY_EMAIL)
                await self._verification.ask(user)
                return user
        nobody = await self._as_if_new(new, hashed, create)
        # The code that the first one's sign-up has sent would confirm their password, if this one typed it in.
        await self._proofs.drop(person.id if person else nobody.id, Purpose.VERIFY_EMAIL)
        await self._tell(new.email, person)
        return nobody

    async def _as_if_new(self, new: NewAccount, hashed: str, create: Create) -> User:
        _, _, domain = new.email.rpartition("@")
        decoy = new.model_copy(update={"email": f"{new_id().hex}@{domain}"})
        async with self._work.undone():
            made = await create(decoy, hashed, "sign-up")
            await self._work.session.flush()
            return User(
                id=made.id,
                email=new.email,
                email_canonical=canonical_email(new.email),
                name=made.name,
                locale=made.locale,
                is_active=made.is_active,
                created_at=made.created_at,
                updated_at=made.updated_at,
                version=made.version,
            )

    async def _tell(self, email: str, person: Any) -> None:
        may_come_in = person is not None and person.is_active
        subject, to = (person.id, {"to": person.email}) if may_come_in else (None, {})
        lifetime = self._options.password_reset_lifetime
        asked = await self._proofs.ask(self._way_in, email, subject, lifetime)
        # Nobody waits anywhere to have a code typed in.
        self._work.events.record(
            SignUpRepeated(subject=subject), private={**to, "link": asked.link}, expires_at=asked.expires_at
        )

    async def _person(self, email: str) -> Any:
        try:
            return await self._users.profile_by_email(email)
        except UserNotFound:
            return None
