"""The first administrator: by a one-time code that only the operator sees, and only once."""

from sqlalchemy import Update, update

from gatepost.access import ADMIN, Access
from gatepost.accounts import queries
from gatepost.accounts.errors import SetupRefused
from gatepost.accounts.events import SetupCompleted
from gatepost.accounts.models import Installation
from gatepost.accounts.schemas import NewAccount
from gatepost.accounts.service import Accounts
from gatepost.accounts.settings import AccountOptions
from gatepost.core.limits import Limits
from gatepost.core.secrets import digest, new_token, well_formed
from gatepost.core.work import Work
from gatepost.users import User, Users

__all__ = ["Setup"]

CODE_KIND = "setup"


class Setup:
    """Setting the installation up."""

    def __init__(
        self,
        work: Work,
        accounts: Accounts,
        users: Users,
        access: Access,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._accounts = accounts
        self._users = users
        self._access = access
        self._options = options
        self._limits = limits

    async def new_code(self) -> str | None:
        """Return a new one-time code, which replaces the one before; None if there has been an administrator."""
        code = new_token(CODE_KIND)
        expires_at = self._work.now + self._options.setup_code_lifetime
        statement = (
            update(Installation)
            .where(Installation.setup_done_at.is_(None))
            .values(setup_digest=digest(code), setup_expires_at=expires_at)
        )
        return code if await self._met(statement) else None

    async def complete(self, code: str, new: NewAccount) -> User:
        """Create the first administrator.

        Raises SetupRefused, LimitExceeded, PasswordRefused, EmailTaken, HashingBusy.
        """
        await self._limits.guess(self._work.client)
        if not well_formed(CODE_KIND, code):
            raise SetupRefused
        wanted = {"digest": digest(code), "now": self._work.now}
        if await self._work.read.first(queries.OPEN_SETUP, wanted) is None:
            # Said before the hash: this door must not be one to flood.
            raise SetupRefused
        hashed = await self._accounts.prepare(new)
        statement = update(Installation).where(
            Installation.setup_digest == digest(code),
            Installation.setup_expires_at > self._work.now,
            Installation.setup_done_at.is_(None),
        )
        # The code is consumed by the statement that checks it, before anything else can be learnt.
        if not await self._met(statement.values(setup_digest=None, setup_done_at=self._work.now)):
            raise SetupRefused
        user = await self._accounts.create(new, hashed, by="setup")
        await self._access.grant(user.id, ADMIN)
        self._work.events.record(SetupCompleted(subject=user.id, by="setup-code"))
        return user

    async def promote(self, user: User) -> bool:
        """Make somebody an administrator by command, which ends the setup too; return whether it was new."""
        granted = await self._access.grant(user.id, ADMIN)
        statement = update(Installation).where(Installation.setup_done_at.is_(None))
        if await self._met(statement.values(setup_digest=None, setup_done_at=self._work.now)):
            self._work.events.record(SetupCompleted(subject=user.id, by="command"))
        if granted:
            await self._users.touch(user)
        return granted

    async def demote(self, user: User) -> bool:
        """Take the administrator's role away; return whether the person had it."""
        revoked = await self._access.revoke(user.id, ADMIN)
        if revoked:
            await self._users.touch(user)
        return revoked

    async def _met(self, statement: Update) -> bool:
        """Run a conditional update of the one row; return whether its conditions were met."""
        found = statement.returning(Installation.id).execution_options(synchronize_session=False)
        return (await self._work.session.execute(found)).first() is not None
