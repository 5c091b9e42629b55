"""What somebody who is signed in may do with their own second factors."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from gatepost.access import ADMIN, Access
from gatepost.core.limits import Limits
from gatepost.core.principal import MULTI_FACTOR, Principal
from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.errors import FactorNeeded, FactorsOff, NoFactor
from gatepost.mfa.policy import EnrolmentNeeded, judge_factors
from gatepost.mfa.schemas import (
    ConfirmTotp,
    FactorConfirmed,
    FactorList,
    FactorOut,
    NewTotp,
    TotpEnrolment,
)
from gatepost.mfa.service import Mfa
from gatepost.mfa.settings import MfaOptions
from gatepost.tokens import Tokens
from gatepost.users import User, Users

__all__ = ["Factors"]


class Factors:
    """Journeys over one's own factors. Each needs a fresh sign-in, with the second factor if there is one."""

    def __init__(
        self,
        work: Work,
        mfa: Mfa,
        users: Users,
        access: Access,
        tokens: Tokens,
        options: MfaOptions,
        fresh_for: timedelta,
        limits: Limits,
    ) -> None:
        self._work = work
        self._mfa = mfa
        self._users = users
        self._access = access
        self._tokens = tokens
        self._options = options
        self._fresh_for = fresh_for
        self._limits = limits

    async def need_authority(self, me: Principal) -> None:
        """Ask that the caller signed in lately, and with their second factor if they have one.

        With a password alone nobody shall take the factor away that guards against the loss of the password.
        Raises ReauthenticationRequired.
        """
        me.need_fresh(self._fresh_for, self._work.now)
        if self._options.policy != "off" and (await self._mfa.enrolled(me.subject)).factors:
            me.need_acr(MULTI_FACTOR)

    async def of(self, user_id: UUID) -> FactorList:
        """Return a person's factors."""
        wanted = {"user_id": user_id}
        apps = await self._work.read.rows(queries.APPS, wanted)
        enrolled = await self._mfa.enrolled(user_id)
        reset = await self._work.read.first(queries.RESET, wanted)
        return FactorList(
            items=[_shown(row) for row in apps],
            recovery_codes_left=enrolled.recovery_codes,
            reset_due_at=reset.due_at if reset else None,
        )

    async def begin_totp(self, me: Principal, new: NewTotp) -> TotpEnrolment:
        """Begin to add an app. Raises FactorsOff, TooManyFactors, ReauthenticationRequired, LimitExceeded."""
        await self.need_authority(me)
        # A QR code is the slowest thing to draw here.
        await self._limits.guess(self._work.client)
        profile = await self._users.profile(me.subject)
        begun = await self._mfa.begin_totp(me.subject, profile.email, new.name)
        await self._tokens.confirm(me)
        return begun

    async def confirm_totp(self, me: Principal, given: ConfirmTotp) -> FactorConfirmed:
        """Have an app count. Raises CodeWrong, FactorsOff, ReauthenticationRequired, LimitExceeded."""
        await self._limits.guess(self._work.client)
        await self.need_authority(me)
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        return await self._mfa.confirm_totp(me.subject, given.id, given.code, keep=me.session_id)

    async def remove(self, me: Principal, factor_id: UUID) -> None:
        """Remove an app. Raises FactorNotFound, FactorNeeded, ReauthenticationRequired."""
        await self.need_authority(me)
        user = await self._users.load(me.subject)
        await self._tokens.confirm(me)
        await self._mfa.remove_totp(user, factor_id)
        await self.changed(user, me.session_id)

    async def changed(self, user: User, keep: UUID) -> None:
        """Do what follows when a person has added or removed a factor of any kind. Raises FactorNeeded.

        Their row is locked; the session `keep` goes on.
        """
        left = await self._mfa.enrolled_now(user.id)
        administrator = ADMIN in await self._access.roles_of(user.id)
        asked = judge_factors(self._options.policy, left, administrator=administrator, shown=())
        if isinstance(asked, EnrolmentNeeded):
            # Otherwise whoever knows the password could add a factor of their own at the next sign-in.
            raise FactorNeeded
        await self._mfa.changed(user, keep=keep)

    async def new_codes(self, me: Principal) -> list[str]:
        """Return new recovery codes in the place of those of before. Raises NoFactor, FactorsOff, as above."""
        if self._options.policy == "off":
            raise FactorsOff
        await self.need_authority(me)
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        if not (await self._mfa.enrolled_now(me.subject)).factors:
            raise NoFactor
        return await self._mfa.new_codes(me.subject)

    async def keep(self, me: Principal) -> None:
        """Keep the factors that somebody wanted removed. Whoever is signed in may: it makes nothing weaker."""
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        await self._mfa.cancel_reset(me.subject, by="person")


def _shown(row: Any) -> FactorOut:
    return FactorOut(
        id=row.id, kind="totp", name=row.name, created_at=row.confirmed_at, last_used_at=row.last_used_at
    )
