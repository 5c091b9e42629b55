"""Showing that one's address is one's own."""

from gatepost.accounts.email_change import EmailChange
from gatepost.accounts.errors import EmailAlreadyVerified, PasswordNeeded
from gatepost.accounts.events import EmailVerificationAsked
from gatepost.accounts.schemas import EmailConfirmation
from gatepost.accounts.settings import AccountOptions
from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.login import LoginFailed, ProvenAddress
from gatepost.passwords import CheckedPassword, Passwords
from gatepost.proofs import Claim, MailProofInvalid, MailProofs, Purpose
from gatepost.tokens import Tokens
from gatepost.users import User, Users, canonical_email

__all__ = ["Verification"]


class Verification:
    """The journey from an address that somebody named to one that they read."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        tokens: Tokens,
        proofs: MailProofs,
        email_change: EmailChange,
        proven: ProvenAddress,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._proofs = proofs
        self._email_change = email_change
        self._proven = proven
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

    async def confirm(self, shown: EmailConfirmation, me: Principal | None = None) -> None:
        """Take the proof of an address that is the person's, or is to become it. Nobody is signed in by it.

        `me` is whoever is signed in where it is shown. Raises MailProofInvalid, PasswordNeeded, EmailTaken,
        LimitExceeded, HashingBusy.
        """
        claim = await self._proofs.check(shown, Purpose.VERIFY_EMAIL, Purpose.CONFIRM_EMAIL)
        # A code is typed where it was asked for; a link is opened by whoever gets the mail.
        same_person = claim.by_code or (me is not None and me.subject == claim.user_id)
        checked = None if same_person else await self._checked(claim, shown)
        user = await self._users.load(claim.user_id)
        if checked is not None and not await self._passwords.unchanged(checked):
            raise PasswordNeeded
        await self._proofs.use(claim)
        if not user.is_active:
            raise MailProofInvalid
        if claim.purpose is Purpose.CONFIRM_EMAIL:
            await self._email_change.take(user, claim)
            return
        if user.email_canonical != claim.email_canonical:
            raise MailProofInvalid
        await self._proven.by_mail(user, same_person=same_person or checked is not None)

    async def _checked(self, claim: Claim, shown: EmailConfirmation) -> CheckedPassword | None:
        """Return the password that was given, if it is right; None if it is to be dropped. Raises PasswordNeeded."""
        if shown.password is None:
            # Who confirms another address of somebody's takes nothing away from them.
            if shown.drop_password and claim.purpose is Purpose.VERIFY_EMAIL:
                return None
            raise PasswordNeeded
        profile = await self._users.profile(claim.user_id)
        attempt = await self._limits.attempt(self._work.client, canonical_email(profile.email))
        checked = await self._passwords.check_of(claim.user_id, shown.password)
        if not checked.correct:
            self._work.events.record(
                LoginFailed(subject=claim.user_id, method="current_password", reason="wrong_password")
            )
            raise PasswordNeeded
        await attempt.succeeded()
        return checked
