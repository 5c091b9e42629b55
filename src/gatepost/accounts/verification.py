"""Showing that one's address is one's own."""

from gatepost.accounts.email_change import EmailChange
from gatepost.accounts.errors import EmailAlreadyVerified
from gatepost.accounts.events import EmailVerificationAsked
from gatepost.accounts.settings import AccountOptions
from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.tokens import Tokens
from gatepost.users import ProfileChange, User, Users, canonical_email

__all__ = ["Verification"]


class Verification:
    """The journey from an address that somebody named to one that they read."""

    def __init__(
        self,
        work: Work,
        users: Users,
        tokens: Tokens,
        proofs: MailProofs,
        email_change: EmailChange,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._users = users
        self._tokens = tokens
        self._proofs = proofs
        self._email_change = email_change
        self._options = options
        self._limits = limits

    async def ask(self, user: User) -> None:
        """Send a link and a code to the person's address; what was sent before is dead."""
        lifetime = self._options.email_verification_lifetime
        asked = await self._proofs.ask(Purpose.VERIFY_EMAIL, user.email, user.id, lifetime)
        self._work.events.record(
            EmailVerificationAsked(subject=user.id),
            private={"to": user.email, **asked.private},
            expires_at=asked.expires_at,
        )

    async def ask_again(self, me: Principal) -> None:
        """Send them to the caller once more. Raises EmailAlreadyVerified, LimitExceeded."""
        profile = await self._users.profile(me.subject)
        await self._limits.mail_asked(self._work.client, canonical_email(profile.email))
        user = await self._users.load(me.subject)
        await self._tokens.confirm(me)
        if user.email_verified:
            raise EmailAlreadyVerified
        await self.ask(user)

    async def confirm(self, shown: ShownProof) -> None:
        """Take the proof of an address that is the person's, or is to become it. Nobody is signed in by it.

        Raises MailProofInvalid, EmailTaken, LimitExceeded.
        """
        claim = await self._proofs.check(shown, Purpose.VERIFY_EMAIL, Purpose.CONFIRM_EMAIL)
        user = await self._users.load(claim.user_id)
        await self._proofs.use(claim)
        if not user.is_active:
            raise MailProofInvalid
        if claim.purpose is Purpose.CONFIRM_EMAIL:
            await self._email_change.take(user, claim)
            return
        if user.email_canonical != claim.email_canonical:
            raise MailProofInvalid
        await self._users.change(user, ProfileChange(email_verified=True))
