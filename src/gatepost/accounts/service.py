"""The journeys. Each reads top to bottom: first what is slow, then one transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from gatepost.access import Permission
from gatepost.accounts.deletion import Deletion
from gatepost.accounts.email_change import EmailChange
from gatepost.accounts.errors import (
    CurrentPasswordWrong,
    EmailNeedsProof,
    FieldNotYours,
    SignUpClosed,
)
from gatepost.accounts.hidden_sign_up import HiddenSignUp
from gatepost.accounts.schemas import ChangeAccount, NewAccount
from gatepost.accounts.settings import AccountOptions
from gatepost.accounts.verification import Verification
from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.login import LoginFailed
from gatepost.passwords import CheckedPassword, Passwords, PasswordSetter
from gatepost.proofs import MailProofs
from gatepost.sessions import EndReason, Sessions
from gatepost.tokens import Tokens
from gatepost.users import StaleVersion, User, Users, canonical_email

__all__ = ["Accounts"]


class Accounts:
    """Journeys over a whole account."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        tokens: Tokens,
        verification: Verification,
        email_change: EmailChange,
        deletion: Deletion,
        hidden_sign_up: HiddenSignUp,
        proofs: MailProofs,
        options: AccountOptions,
        limits: Limits,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._verification = verification
        self._email_change = email_change
        self._deletion = deletion
        self._hidden_sign_up = hidden_sign_up
        self._proofs = proofs
        self._options = options
        self._limits = limits

    async def sign_up(self, new: NewAccount) -> User:
        """Create an account for whoever asks. Where sign-up hides accounts, what is returned may be nobody's.

        Raises SignUpClosed, LimitExceeded, EmailTaken, PasswordRefused, HashingBusy.
        """
        if not self._options.allow_registration:
            raise SignUpClosed
        hides, verifies = self._options.sign_up_hides_accounts, self._options.email_verification != "off"
        await self._limits.sign_up(self._work.client, canonical_email(new.email), mails=hides or verifies)
        if hides:
            return await self._hidden_sign_up.of(new, await self.prepare(new), self.create)
        user = await self.add(new, by="sign-up")
        if verifies:
            await self._verification.ask(user)
        return user

    async def add(self, new: NewAccount, by: str) -> User:
        """Create an account. Raises EmailTaken, PasswordRefused, HashingBusy."""
        return await self.create(new, await self.prepare(new), by)

    async def prepare(self, new: NewAccount) -> str:
        """Return the hash for a new account, before the transaction. Raises PasswordRefused, HashingBusy."""
        return await self._passwords.prepare(new.password, new.email)

    async def create(self, new: NewAccount, hashed: str, by: str) -> User:
        """Create an account with a prepared hash. Raises EmailTaken."""
        user = await self._users.add(new, by)
        await self._passwords.put_first(user.id, hashed)
        return user

    async def change_own(self, me: Principal, change: ChangeAccount, if_version: int | None = None) -> User:
        """Change one's own account. A new password or address needs a fresh sign-in, a password the old one too.

        Raises FieldNotYours, EmailNeedsProof, ReauthenticationRequired, CurrentPasswordWrong, PasswordRefused,
        EmailTaken, StaleVersion, LimitExceeded, HashingBusy.
        """
        for field in ("is_active", "email_verified", "locked_until"):
            if field in change.model_fields_set and (
                field == "locked_until" or getattr(change, field) is not None
            ):
                raise FieldNotYours(field=field)
        if change.email is not None or change.password is not None:
            me.need_fresh(self._options.fresh_for, self._work.now)
        proof = await self._proof(me, change) if change.password is not None else None
        hashed = await self._prepared(me.subject, change)
        user = await self._users.load(me.subject, if_version)
        await self._tokens.confirm(me)
        if proof is not None and not await self._passwords.unchanged(proof):
            # Another change of the password came first: the proof was for the one that is gone.
            raise StaleVersion
        told = None
        if change.email is not None and change.email != user.email:
            if self._options.email_verification == "required":
                raise EmailNeedsProof
            told = await self._email_change.offer_undo(user)
        return await self._apply(user, change, hashed, "owner", keep=me.session_id, told=told)

    async def change(
        self,
        user_id: UUID,
        change: ChangeAccount,
        if_version: int | None = None,
        *,
        actor: Principal | None = None,
    ) -> User:
        """Change somebody's account: an administrator does, or the operator (no actor).

        Raises as `change_own`, and UserNotFound, PermissionMissing.
        """
        hashed = await self._prepared(user_id, change)
        user = await self._users.load(user_id, if_version)
        await self._confirm(actor)
        by: PasswordSetter = "administrator" if actor else "operator"
        return await self._apply(user, change, hashed, by)

    async def delete_own(self, me: Principal, if_version: int | None = None) -> None:
        """Delete one's own account, at once or after the grace period; needs a fresh sign-in.

        Raises ReauthenticationRequired, StaleVersion.
        """
        me.need_fresh(self._options.fresh_for, self._work.now)
        user = await self._users.load(me.subject, if_version)
        await self._tokens.confirm(me)
        await self._deletion.ask(user)

    async def delete(
        self, user_id: UUID, if_version: int | None = None, *, actor: Principal | None = None
    ) -> None:
        """Delete an account: its sessions, tokens and secrets go with it.

        Raises UserNotFound, StaleVersion, PermissionMissing.
        """
        user = await self._users.load(user_id, if_version)
        await self._confirm(actor)
        await self._deletion.erase(user)

    async def _confirm(self, actor: Principal | None) -> None:
        if actor is not None:
            await self._tokens.confirm(actor, Permission.USERS_WRITE)

    async def _prepared(self, user_id: UUID, change: ChangeAccount) -> str | None:
        if change.password is None:
            return None
        email = change.email or (await self._users.profile(user_id)).email
        return await self._passwords.prepare(change.password, email)

    async def _apply(
        self,
        user: User,
        change: ChangeAccount,
        hashed: str | None,
        by: PasswordSetter,
        keep: UUID | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> User:
        changed = await self._users.change(user, change.profile(), told)
        if hashed is not None or "email" in changed:
            # What was sent to the address of before, or asked for under the password of before, is dead.
            await self._proofs.drop(user.id)
        if hashed is not None:
            await self._passwords.put(user.id, hashed, by)
            if keep is None or self._options.password_change_ends_sessions:
                await self._sessions.end_all(user.id, EndReason.PASSWORD_CHANGED, keep=keep)
            # Also counts the change: a sign-in that checked the old hash sees another version and looks again.
            await self._users.touch(user)
        if "is_active" in changed and not user.is_active:
            await self._sessions.end_all(user.id, EndReason.DISABLED)
        return user

    async def _proof(self, me: Principal, change: ChangeAccount) -> CheckedPassword:
        checked = await self._checked(me.subject, change.current_password)
        if checked is None:
            self._work.events.record(
                LoginFailed(subject=me.subject, method="current_password", reason="wrong_password")
            )
            raise CurrentPasswordWrong
        return checked

    async def _checked(self, user_id: UUID, given: str | None) -> CheckedPassword | None:
        """Return the proof if the password is right. Whoever took over a session must not guess it."""
        if given is None:
            return None
        # The counter of the front door: who has taken over a session gets no tries of their own.
        profile = await self._users.profile(user_id)
        attempt = await self._limits.attempt(self._work.client, canonical_email(profile.email))
        checked = await self._passwords.check_of(user_id, given)
        if not checked.correct:
            return None
        await attempt.succeeded()
        return checked
