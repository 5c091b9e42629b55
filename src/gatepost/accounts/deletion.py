"""The end of an account: at once, or after a while in which its owner may change their mind."""

from contextlib import suppress

from gatepost.accounts import queries
from gatepost.accounts.events import AccountDeletionScheduled, AccountKept
from gatepost.accounts.settings import AccountOptions
from gatepost.core.idempotency import erase_answers
from gatepost.core.work import Work
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.sessions import EndReason, Sessions
from gatepost.users import ProfileChange, User, UserNotFound, Users

__all__ = ["Deletion"]


class Deletion:
    """The journey out, and back as long as there is a way."""

    def __init__(
        self, work: Work, users: Users, sessions: Sessions, proofs: MailProofs, options: AccountOptions
    ) -> None:
        self._work = work
        self._users = users
        self._sessions = sessions
        self._proofs = proofs
        self._options = options

    async def ask(self, user: User) -> None:
        """Erase a person who wants it; where there is a grace period, shut the account and erase it at its end."""
        if not self._options.deletion_grace:
            await self.erase(user)
            return
        until = self._work.now + self._options.deletion_grace
        await self._users.close(user, until)
        await self._sessions.end_all(user.id, EndReason.DELETED)
        await self._proofs.drop(user.id)
        asked = await self._proofs.ask(
            Purpose.KEEP_ACCOUNT, user.email, user.id, self._options.deletion_grace
        )
        self._work.events.record(
            AccountDeletionScheduled(subject=user.id, until=until.isoformat()),
            private={"to": user.email, **asked.private},
            expires_at=asked.expires_at,
        )

    async def cancel(self, shown: ShownProof) -> None:
        """Open an account again that was to be erased; its sessions stay ended.

        Raises MailProofInvalid, LimitExceeded.
        """
        claim = await self._proofs.check(shown, Purpose.KEEP_ACCOUNT)
        user = await self._users.load(claim.user_id)
        await self._proofs.use(claim)
        if user.delete_after is None:
            raise MailProofInvalid
        await self._users.change(user, ProfileChange(is_active=True))
        self._work.events.record(AccountKept(subject=user.id))

    async def erase_next(self) -> bool:
        """Erase somebody whose time is up; return whether there was anybody."""
        due = await self._work.read.first(queries.DUE_DELETION, {"now": self._work.now})
        if due is None:
            return False
        with suppress(UserNotFound):  # another process was faster
            user = await self._users.load(due.id)
            # As it is now that the row is locked: somebody may just have kept the account.
            if user.delete_after is not None and user.delete_after <= self._work.now:
                await self.erase(user)
        return True

    async def erase(self, user: User) -> None:
        """Delete the person, and the profile that may be kept as the answer to a sign-up."""
        # Ended, not only gone with the row: other services learn of it by the event.
        await self._sessions.end_all(user.id, EndReason.DELETED)
        await erase_answers(self._work, user.id)
        await self._users.delete(user)
