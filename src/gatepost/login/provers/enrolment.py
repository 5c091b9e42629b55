"""Somebody who must have a second factor, and has none, adds one on the way in."""

from gatepost.core.work import Work
from gatepost.login.methods import PASSKEY, TOTP, Method
from gatepost.login.provers.prover import Context
from gatepost.login.provers.used import UsedUp
from gatepost.login.refusals import refused
from gatepost.login.schemas import EnrolPasskeyStep, EnrolTotpStep
from gatepost.mfa import Mfa
from gatepost.passkeys import Enrolment
from gatepost.users import Standing, User, UserNotFound, Users

__all__ = ["EnrolPasskeyProver", "EnrolTotpProver", "ShownEnrolment"]


class ShownEnrolment(UsedUp):
    """A factor that counts from now on.

    The steps before, which were judged by the version of before it, are worth as much after it.
    """

    def __init__(self, method: Method, user: User, recovery_codes: list[str] | None) -> None:
        super().__init__(method, Standing.of(user))
        self.recovery_codes = recovery_codes


class _Enrolling:
    def __init__(self, work: Work, users: Users, mfa: Mfa) -> None:
        self._work = work
        self._users = users
        self._mfa = mfa

    async def _locked(self, method: Method, context: Context) -> User:
        """Return the person, locked, unless anything of them has changed since they were found to have no factor."""
        if context.person is None:
            raise refused(self._work, method, None, "wrong_proof")
        try:
            user = await self._users.load(context.person)
        except UserNotFound:
            raise refused(self._work, method, context.person, "changed") from None
        if user.version != context.version:
            raise refused(self._work, method, context.person, "changed")
        return user


class EnrolTotpProver(_Enrolling):
    """Lets an authenticator app count."""

    async def check(self, given: EnrolTotpStep, context: Context) -> ShownEnrolment:
        """Take the first code of an app. Raises InvalidCredentials, CodeWrong, FactorsOff."""
        user = await self._locked(TOTP, context)
        done = await self._mfa.confirm_totp(user.id, given.id, given.code)
        return ShownEnrolment(TOTP, user, done.recovery_codes)


class EnrolPasskeyProver(_Enrolling):
    """Adds a passkey. In this sign-in it is one factor: that its owner was verified is shown when it is used."""

    def __init__(self, work: Work, users: Users, mfa: Mfa, enrolment: Enrolment) -> None:
        super().__init__(work, users, mfa)
        self._enrolment = enrolment

    async def check(self, given: EnrolPasskeyStep, context: Context) -> ShownEnrolment:
        """Take what a browser made. Raises InvalidCredentials, PasskeyInvalid, TooManyPasskeys."""
        if context.person is None or context.binding_digest is None:
            raise refused(self._work, PASSKEY, context.person, "wrong_proof")
        checked = await self._enrolment.check(context.person, context.binding_digest, given)
        user = await self._locked(PASSKEY, context)
        await self._enrolment.add(user, checked)
        await self._mfa.changed(user, keep=None)
        return ShownEnrolment(PASSKEY, user, None)
