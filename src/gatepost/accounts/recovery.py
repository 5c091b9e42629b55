"""A new password for somebody who has forgotten theirs."""

from typing import Any

from gatepost.accounts.events import PasswordResetAsked
from gatepost.accounts.settings import AccountOptions
from gatepost.core.limits import Limits
from gatepost.core.work import Work
from gatepost.login import ProvenAddress
from gatepost.passwords import Passwords
from gatepost.proofs import MailProofInvalid, MailProofs, Purpose, ShownProof
from gatepost.sessions import EndReason, Sessions
from gatepost.users import UserNotFound, Users, canonical_email

__all__ = ["Recovery"]


class Recovery:
    """The journey from a forgotten password to a new one."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        proofs: MailProofs,
        proven: ProvenAddress,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._proofs = proofs
        self._proven = proven
        self._options = options
        self._limits = limits

    async def ask(self, email: str) -> None:
        """Send a link and a code to this address, if somebody who may sign in has it.

        An address that nobody has costs the same work and leaves the same rows, but no mail. Raises LimitExceeded.
        """
        await self._limits.mail_asked(self._work.client, canonical_email(email))
        person = await self._person(email)
        subject, to = (person.id, {"to": person.email}) if person else (None, {})
        lifetime = self._options.password_reset_lifetime
        asked = await self._proofs.ask(Purpose.RESET_PASSWORD, email, subject, lifetime)
        self._work.events.record(
            PasswordResetAsked(subject=subject), private={**to, **asked.private}, expires_at=asked.expires_at
        )

    async def reset(self, shown: ShownProof, password: str) -> None:
        """Set a new password on such a proof, which shows the address to be theirs, too.

        All sessions end and everything else that was sent to the person is dead, so that whoever had been in their
        account is out. Nobody is signed in. A password that is refused does not use the proof up.
        Raises MailProofInvalid, PasswordRefused, LimitExceeded, HashingBusy.
        """
        claim = await self._proofs.check(shown, Purpose.RESET_PASSWORD)
        hashed = await self._passwords.prepare(password, claim.email)
        user = await self._users.load(claim.user_id)
        await self._proofs.use(claim)
        if user.email_canonical != claim.email_canonical or not user.is_active:
            raise MailProofInvalid
        await self._sessions.end_all(user.id, EndReason.PASSWORD_CHANGED)
        await self._proofs.drop(user.id)
        await self._proven.by_mail(user, same_person=False)
        await self._passwords.put(user.id, hashed, "reset")
        await self._users.touch(user)

    async def _person(self, email: str) -> Any:
        try:
            person = await self._users.profile_by_email(email)
        except UserNotFound:
            return None
        return person if person.is_active else None
