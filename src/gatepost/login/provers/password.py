"""Somebody knows their password."""

from uuid import UUID

from gatepost.core.limits import Attempt, Limits
from gatepost.core.work import Work
from gatepost.login.known import KnownNetworks
from gatepost.login.methods import PASSWORD
from gatepost.login.provers.prover import Context
from gatepost.login.refusals import refused
from gatepost.login.schemas import Credentials
from gatepost.passwords import CheckedPassword, Passwords
from gatepost.users import Standing, Users, canonical_email

__all__ = ["PasswordProver", "ShownPassword"]


class ShownPassword:
    """A password that was right."""

    method = PASSWORD

    def __init__(
        self, passwords: Passwords, attempt: Attempt, checked: CheckedPassword, standing: Standing, given: str
    ) -> None:
        self.standing = standing
        self._passwords = passwords
        self._attempt = attempt
        self._checked = checked
        self._given = given

    async def accepted(self) -> None:
        """End the row of failures, and renew a hash that is outdated."""
        await self._attempt.succeeded()
        self._checked = await self._passwords.hashed_anew(self._checked, self._given)

    async def use(self) -> Standing:
        """Return the standing: a password works more than once."""
        return self.standing

    async def holds(self) -> bool:
        """Tell whether the password is still the person's."""
        return await self._passwords.unchanged(self._checked)

    async def finish(self) -> None:
        """Store the renewed hash. Only now: the person's row is locked first, then the password's."""
        await self._passwords.renew(self._checked)


class PasswordProver:
    """Checks passwords."""

    def __init__(
        self, work: Work, users: Users, passwords: Passwords, limits: Limits, known: KnownNetworks
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._limits = limits
        self._known = known

    async def check(self, given: Credentials, context: Context) -> ShownPassword:  # noqa: ARG002  anybody's first step
        """Check a password by address. Raises InvalidCredentials, LimitExceeded, HashingBusy."""
        # A flood is refused before it is counted: a refusal that tells nothing costs no tries, and must cost no time.
        self._passwords.expect_turn()
        account = _account(given.username)
        name = account or given.username.strip().casefold()  # what is no address is counted too
        # Before anything is looked up or hashed: who comes too often costs next to nothing.
        attempt = await self._limits.attempt(self._work.client, name, lambda: self._known.is_here(name))
        return self._shown(await self._passwords.check(account, given.password), attempt, given.password)

    async def check_again(self, user_id: UUID, password: str) -> ShownPassword:
        """Check the password of somebody who is signed in. Raises as `check`."""
        self._passwords.expect_turn()
        profile = await self._users.profile(user_id)
        # The same counter as at the front door: who has taken over a session gets no tries of their own.
        attempt = await self._limits.attempt(self._work.client, canonical_email(profile.email))
        return self._shown(await self._passwords.check_of(user_id, password), attempt, password, user_id)

    def _shown(
        self, checked: CheckedPassword, attempt: Attempt, given: str, user_id: UUID | None = None
    ) -> ShownPassword:
        if checked.standing is None or not checked.correct:
            whose = checked.user_id or user_id
            reason = "wrong_password" if whose else "unknown_account"
            raise refused(self._work, PASSWORD, whose, reason)
        return ShownPassword(self._passwords, attempt, checked, checked.standing, given)


def _account(email: str) -> str | None:
    """Return the one name of an account in every spelling; None for what is no address."""
    try:
        return canonical_email(email)
    except ValueError:
        return None
