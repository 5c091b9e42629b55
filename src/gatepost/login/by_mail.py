"""Asking for a mail to sign in by."""

from typing import Any

from gatepost.core.limits import Limits
from gatepost.core.work import Work
from gatepost.login.errors import MethodOff
from gatepost.login.events import SignInMailAsked
from gatepost.login.flows import Flows
from gatepost.proofs import MailProofs, Purpose
from gatepost.users import UserNotFound, Users, canonical_email

__all__ = ["SignInMails"]


class SignInMails:
    """Sends a link and a code to whoever wants to sign in by them. `on`: whether anybody may."""

    def __init__(
        self, work: Work, users: Users, proofs: MailProofs, flows: Flows, limits: Limits, *, on: bool
    ) -> None:
        self._work = work
        self._users = users
        self._proofs = proofs
        self._flows = flows
        self._limits = limits
        self._on = on

    async def ask(self, handle: str, binding: str | None, email: str) -> None:
        """Send them to this address, if somebody who may sign in has it. They live as long as the flow.

        An address that nobody has costs the same work and leaves the same rows, but no mail. Raises MethodOff,
        FlowInvalid, LimitExceeded.
        """
        if not self._on:
            raise MethodOff
        flow = await self._flows.open(handle, binding)
        await self._limits.mail_asked(self._work.client, canonical_email(email))
        person = await self._person(email)
        subject, to = (person.id, {"to": person.email}) if person else (None, {})
        lifetime = flow.expires_at - self._work.now
        asked = await self._proofs.ask(Purpose.SIGN_IN_LINK, email, subject, lifetime, flow.binding_digest)
        self._work.events.record(
            SignInMailAsked(subject=subject), private={**to, **asked.private}, expires_at=asked.expires_at
        )

    async def _person(self, email: str) -> Any:
        try:
            person = await self._users.profile_by_email(email)
        except UserNotFound:
            return None
        return person if person.is_active else None
