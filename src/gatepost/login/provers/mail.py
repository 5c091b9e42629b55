"""Somebody reads the mail that went to their address."""

import hmac

from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.errors import AskedElsewhere
from gatepost.login.methods import MAIL
from gatepost.login.proven import ProvenAddress
from gatepost.login.provers.prover import Context
from gatepost.login.refusals import refused
from gatepost.login.schemas import MailStep
from gatepost.proofs import Claim, MailProofInvalid, MailProofs, Purpose
from gatepost.users import Standing, UserNotFound, Users

__all__ = ["MailProver", "ShownMail"]


class ShownMail:
    """A link or a code that was right."""

    method = MAIL

    def __init__(
        self,
        work: Work,
        users: Users,
        proofs: MailProofs,
        proven: ProvenAddress,
        claim: Claim,
        standing: Standing,
        context: Context,
    ) -> None:
        self.standing = standing
        self._work = work
        self._users = users
        self._proofs = proofs
        self._proven = proven
        self._claim = claim
        self._context = context

    async def accepted(self) -> None:
        """Nothing here is slow."""

    async def use(self) -> Standing:
        """Use the mail up, and verify the address; return the person as they are by then, locked."""
        whose = self.standing.user_id
        try:
            user = await self._users.load(whose)
            await self._proofs.use(self._claim)
        except (UserNotFound, MailProofInvalid):
            raise refused(self._work, MAIL, whose, "wrong_proof") from None
        if not user.is_active or user.email_canonical != self._claim.email_canonical:
            raise refused(self._work, MAIL, whose, "changed")
        here = self._context.here
        same_person = self._context.person == whose or (here is not None and here.subject == whose)
        await self._proven.by_mail(user, same_person=same_person)
        return Standing.of(user)

    async def holds(self) -> bool:
        """Tell that it does: the person's row has been locked since it was used."""
        return True

    async def finish(self) -> None:
        """All was done when it was used."""


class MailProver:
    """Checks links and codes. Both are for the flow that asked, a link unless the person wants it otherwise."""

    def __init__(self, work: Work, users: Users, proofs: MailProofs, proven: ProvenAddress) -> None:
        self._work = work
        self._users = users
        self._proofs = proofs
        self._proven = proven

    async def check(self, given: MailStep, context: Context) -> ShownMail:
        """Check a link or a code. Raises InvalidCredentials, AskedElsewhere, LimitExceeded."""
        try:
            claim = await self._proofs.check(given, Purpose.SIGN_IN_LINK, binding=context.binding_digest)
        except MailProofInvalid:
            raise refused(self._work, MAIL, None, "wrong_proof") from None
        if not given.elsewhere and not _same(claim.binding_digest, context.binding_digest):
            raise AskedElsewhere(claim.email)
        row = await self._work.read.first(queries.STANDING_OF, {"user_id": claim.user_id})
        if row is None:
            raise refused(self._work, MAIL, claim.user_id, "unknown_account")
        standing = Standing.of(row)
        return ShownMail(self._work, self._users, self._proofs, self._proven, claim, standing, context)


def _same(asked: bytes | None, shown: bytes | None) -> bool:
    return asked is not None and shown is not None and hmac.compare_digest(asked, shown)
