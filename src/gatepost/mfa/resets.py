"""For whoever has lost their second factors: all are removed after a while, or by an administrator."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert

from gatepost.access import Permission
from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.errors import FactorResetOff, FactorsYourOwn, NoFactor
from gatepost.mfa.events import FactorResetAsked, FactorsReset, FactorsResetByAdministrator
from gatepost.mfa.models import FactorReset
from gatepost.mfa.own_factors import Factors
from gatepost.mfa.service import Mfa
from gatepost.mfa.settings import MfaOptions
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.tokens import Tokens
from gatepost.users import UserNotFound, Users, canonical_email

__all__ = ["FactorResets"]


class FactorResets:
    """The ways on without a second factor. None of them signs anybody in."""

    def __init__(
        self,
        work: Work,
        mfa: Mfa,
        factors: Factors,
        users: Users,
        tokens: Tokens,
        proofs: MailProofs,
        options: MfaOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._mfa = mfa
        self._factors = factors
        self._users = users
        self._tokens = tokens
        self._proofs = proofs
        self._options = options
        self._limits = limits

    async def ask(self, user_id: UUID) -> datetime:
        """Have a person's factors removed after the delay; return when. The caller has seen the first factor.

        The person is told by mail, with a link that keeps them. To ask again changes nothing.
        Raises FactorResetOff, NoFactor, LimitExceeded.
        """
        if not self._options.reset_delay:
            raise FactorResetOff
        profile = await self._users.profile(user_id)
        await self._limits.mail_asked(self._work.client, canonical_email(profile.email))
        user = await self._users.load(user_id)
        before = (await self._work.execute(queries.RESET, {"user_id": user_id})).first()
        if before is not None:
            return before.due_at
        if not (await self._mfa.enrolled_now(user_id)).factors:
            raise NoFactor
        due_at = self._work.now + self._options.reset_delay
        row = {"user_id": user_id, "asked_at": self._work.now, "due_at": due_at}
        await self._work.execute(insert(FactorReset).values(**row))
        asked = await self._proofs.ask(Purpose.KEEP_FACTORS, user.email, user_id, self._options.reset_delay)
        self._work.events.record(
            FactorResetAsked(subject=user_id, until=due_at.isoformat()),
            private={"to": user.email, **asked.private},
            expires_at=asked.expires_at,
        )
        return due_at

    async def cancel(self, shown: ShownProof) -> None:
        """Keep the factors, with the link or the code that was sent. Raises MailProofInvalid, LimitExceeded."""
        claim = await self._proofs.check(shown, Purpose.KEEP_FACTORS)
        await self._users.load(claim.user_id)
        await self._proofs.use(claim)
        if not await self._mfa.cancel_reset(claim.user_id, by="link"):
            raise MailProofInvalid

    async def by_administrator(self, me: Principal, user_id: UUID) -> None:
        """Remove all second factors of somebody else, who is told. It ends their sessions and begins none.

        Raises FactorsYourOwn, PermissionMissing, ReauthenticationRequired, UserNotFound.
        """
        if user_id == me.subject:
            raise FactorsYourOwn
        await self._factors.need_authority(me)
        user = await self._users.load(user_id)
        await self._tokens.confirm(me, Permission.USERS_WRITE)
        if await self._mfa.remove_all(user):
            self._work.events.record(FactorsResetByAdministrator(subject=user_id))

    async def by_operator(self, user_id: UUID) -> bool:
        """Do the same for the operator of the installation; return whether there were any. Raises UserNotFound."""
        removed = await self._mfa.remove_all(await self._users.load(user_id))
        if removed:
            self._work.events.record(FactorsResetByAdministrator(subject=user_id))
        return removed

    async def carry_out_next(self) -> bool:
        """Remove the factors of somebody whose time is up; return whether there was anybody."""
        due = await self._work.read.first(queries.DUE_RESET, {"now": self._work.now})
        if due is None:
            return False
        with suppress(UserNotFound):  # whoever is deleted meanwhile takes the wish along
            user = await self._users.load(due.user_id)
            # As it is now that the row is locked: somebody may just have objected.
            row = (await self._work.execute(queries.RESET, {"user_id": user.id})).first()
            if row is None or row.due_at > self._work.now:
                return True
            if not user.is_active:
                # An administrator shut the account: nothing of it is to become weaker meanwhile.
                await self._work.execute(delete(FactorReset).where(FactorReset.user_id == user.id))
            elif await self._mfa.remove_all(user):
                self._work.events.record(FactorsReset(subject=user.id))
        return True
