"""Another address: shown to be one's own before it counts, and undone from the old one by whoever was shut out."""

from collections.abc import Mapping
from typing import Any

from gatepost.accounts.events import EmailChangeAsked
from gatepost.accounts.schemas import EmailOut, PendingEmail
from gatepost.accounts.settings import AccountOptions
from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.mfa import Mfa
from gatepost.passwords import Passwords
from gatepost.proofs import Claim, MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.sessions import EndReason, Sessions
from gatepost.tokens import Tokens
from gatepost.users import ProfileChange, User, UserNotFound, Users, canonical_email

__all__ = ["EmailChange"]


class EmailChange:
    """The journey from one address to another, and back."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        tokens: Tokens,
        proofs: MailProofs,
        mfa: Mfa,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._proofs = proofs
        self._mfa = mfa
        self._options = options
        self._limits = limits

    async def state(self, me: Principal) -> EmailOut:
        """Return the caller's address, and the one that waits to take its place."""
        profile = await self._users.profile(me.subject)
        waiting = await self._proofs.pending(Purpose.CONFIRM_EMAIL, me.subject)
        pending = PendingEmail.model_validate(waiting) if waiting else None
        return EmailOut(email=profile.email, email_verified=profile.email_verified, pending=pending)

    async def ask(self, me: Principal, email: str) -> PendingEmail:
        """Send a link and a code to another address; the one that waited before does so no more.

        Where somebody else has that address, nobody gets mail, and the answer is the same. Needs a fresh sign-in.
        Raises ReauthenticationRequired, LimitExceeded.
        """
        me.need_fresh(self._options.fresh_for, self._work.now)
        await self._limits.mail_asked(self._work.client, canonical_email(email))
        is_free = await self._is_free(me, email)
        user = await self._users.load(me.subject)
        await self._tokens.confirm(me)
        await self._proofs.drop(user.id, Purpose.CONFIRM_EMAIL)
        lifetime = self._options.email_verification_lifetime
        asked = await self._proofs.ask(Purpose.CONFIRM_EMAIL, email, user.id, lifetime)
        self._work.events.record(
            EmailChangeAsked(subject=user.id if is_free else None),
            private={"to": email, **asked.private} if is_free else asked.private,
            expires_at=asked.expires_at,
        )
        return PendingEmail(email=email, expires_at=asked.expires_at)

    async def cancel(self, me: Principal) -> None:
        """Forget the address that waits; its link and code are dead."""
        await self._users.load(me.subject)
        await self._tokens.confirm(me)
        await self._proofs.drop(me.subject, Purpose.CONFIRM_EMAIL)

    async def take(self, user: User, claim: Claim) -> None:
        """Give a person the address of a proof that the caller has used up. Raises EmailTaken."""
        told = await self.offer_undo(user)
        await self._users.change(user, ProfileChange(email=claim.email, email_verified=True), told)
        await self._proofs.drop(user.id)
        await self._mfa.credentials_changed(user.id)

    async def offer_undo(self, user: User) -> Mapping[str, Any]:
        """Return what the notice to the address of before must have besides, so that it can be put back."""
        asked = await self._proofs.ask(
            Purpose.UNDO_EMAIL, user.email, user.id, self._options.email_undo_lifetime
        )
        return {"undo_link": asked.link, "code": asked.code, "until": asked.expires_at.isoformat()}

    async def undo(self, shown: ShownProof) -> None:
        """Put an address back for whoever reads it, end all sessions, and make everything dead that was sent since.

        The password goes, too: whoever changed the address knows it. A new one is set by mail. So do second factors
        of late, by which they would come in again, and the owner not; but not older ones, as those keep out whoever
        has nothing but the old mailbox.
        Raises MailProofInvalid, EmailTaken, LimitExceeded.
        """
        claim = await self._proofs.check(shown, Purpose.UNDO_EMAIL)
        user = await self._users.load(claim.user_id)
        await self._proofs.use(claim)
        if not user.is_active and user.delete_after is None:
            raise MailProofInvalid
        # A thief may have asked for the end of the account, too.
        back = ProfileChange(email=claim.email, email_verified=True, is_active=True)
        await self._users.change(user, back)
        await self._passwords.drop(user.id)
        await self._sessions.end_all(user.id, EndReason.EMAIL_RESTORED)
        await self._proofs.drop(user.id)
        await self._mfa.remove_since(user, self._work.now - 2 * self._options.email_undo_lifetime)
        # An address of the thief's may have an offer of its own; the one of an older address stays good.
        await self._proofs.drop_later(claim)
        await self._users.touch(user)

    async def _is_free(self, me: Principal, email: str) -> bool:
        try:
            return (await self._users.profile_by_email(email)).id == me.subject
        except UserNotFound:
            return True
