"""What becomes of an account when its address is shown to be somebody's: what others had put there before is gone."""

from gatepost.core.work import Work
from gatepost.mfa import Mfa
from gatepost.passkeys import Passkeys
from gatepost.passwords import Passwords
from gatepost.proofs import MailProofs, Purpose
from gatepost.sessions import EndReason, Sessions
from gatepost.users import ProfileChange, User, Users

__all__ = ["ProvenAddress"]


class ProvenAddress:
    """Marks addresses as verified. A room that keeps credentials of another kind has them dropped in `_drop`."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        passkeys: Passkeys,
        mfa: Mfa,
        sessions: Sessions,
        proofs: MailProofs,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._passkeys = passkeys
        self._mfa = mfa
        self._sessions = sessions
        self._proofs = proofs

    async def by_mail(self, user: User, *, same_person: bool) -> None:
        """Verify the address of a person whose row the caller has locked, and who has shown that they read it.

        Whoever signed up with it need not be who reads it. Unless the proof comes from the same person (they are
        signed in, or know the password), all by which one could come in before comes in no more.
        """
        if user.email_verified:
            return
        if not same_person:
            await self._drop(user)
        await self._users.change(user, ProfileChange(email_verified=True))

    async def _drop(self, user: User) -> None:
        await self._sessions.end_all(user.id, EndReason.ADDRESS_PROVEN)
        await self._passwords.drop(user.id)
        await self._passkeys.remove_all(user.id, "address_proven")
        # Its owner may have set it themselves: they hear of each.
        await self._mfa.remove_all(user, tell_each=True)
        # With the ways back to addresses of before: those may be the other's.
        await self._proofs.drop(user.id, *Purpose)
        await self._users.touch(user)
