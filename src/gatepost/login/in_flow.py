"""What else happens in a sign-in under way: questions for passkeys, factors that are added, and those that are lost."""

from datetime import datetime
from uuid import UUID

from gatepost.core.limits import Limits
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.login.errors import StepNotAsked
from gatepost.login.flows import Flow, Flows
from gatepost.login.methods import PASSKEY
from gatepost.login.policy import ENROLMENTS
from gatepost.login.verdicts import Verdicts
from gatepost.mfa import FactorResets, Mfa, TotpEnrolment
from gatepost.passkeys import CreationOptions, Enrolment, Passkeys, RequestOptions, session_binding
from gatepost.users import Users

__all__ = ["FlowSteps"]


class FlowSteps:
    """Everything here is for the client that began the flow. None of it lets anybody in."""

    def __init__(
        self,
        work: Work,
        flows: Flows,
        verdicts: Verdicts,
        users: Users,
        passkeys: Passkeys,
        enrolment: Enrolment,
        mfa: Mfa,
        resets: FactorResets,
        limits: Limits,
    ) -> None:
        self._work = work
        self._flows = flows
        self._verdicts = verdicts
        self._users = users
        self._passkeys = passkeys
        self._enrolment = enrolment
        self._mfa = mfa
        self._resets = resets
        self._limits = limits

    async def missing(self, handle: str, binding: str | None) -> tuple[str, ...]:
        """Return which steps would do as the next, after the first. Raises FlowInvalid, and what a step does."""
        return await self._verdicts.missing(await self._flows.open(handle, binding))

    async def passkey_options(self, handle: str, binding: str | None) -> RequestOptions:
        """Return what the browser needs to ask for a passkey: anybody's, or after the first step, one of theirs.

        Raises FlowInvalid, StepNotAsked, LimitExceeded, and what a step does.
        """
        flow = await self._flows.open(handle, binding)
        await self._limits.begin(self._work.client)
        if flow.person is not None:
            # Which credentials somebody has is told to nobody whose sign-in would be refused.
            await self._need_asked(flow, PASSKEY.step)
        return await self._passkeys.request_options(flow.binding_digest, flow.person)

    async def passkey_options_again(self, me: Principal) -> RequestOptions:
        """Return the same for somebody who is signed in, and shows that it is still them. Raises LimitExceeded."""
        await self._limits.begin(self._work.client)
        return await self._passkeys.request_options(session_binding(me.session_id), me.subject)

    async def begin_totp(self, handle: str, binding: str | None, name: str | None) -> TotpEnrolment:
        """Begin to add an app, where the flow waits for one. Raises FlowInvalid, StepNotAsked, LimitExceeded."""
        flow = await self._flows.open(handle, binding)
        # A QR code is the slowest thing to draw here.
        await self._limits.guess(self._work.client)
        user_id = await self._need_asked(flow, ENROLMENTS["totp"])
        profile = await self._users.profile(user_id)
        return await self._mfa.begin_totp(user_id, profile.email, name)

    async def creation_options(self, handle: str, binding: str | None) -> CreationOptions:
        """Return what the browser needs to make a passkey, where the flow waits for one. Raises as `begin_totp`."""
        flow = await self._flows.open(handle, binding)
        await self._limits.guess(self._work.client)
        user_id = await self._need_asked(flow, ENROLMENTS["passkey"])
        return await self._enrolment.options(await self._users.load(user_id), flow.binding_digest)

    async def reset_factors(self, handle: str, binding: str | None) -> datetime:
        """Have all second factors removed after the delay, for somebody who has lost theirs; return when.

        Raises FlowInvalid, StepNotAsked, FactorResetOff, NoFactor, LimitExceeded.
        """
        flow = await self._flows.open(handle, binding)
        # Who is asked for another first step has shown the second.
        if flow.person is None or ENROLMENTS.keys().isdisjoint(await self._verdicts.missing(flow)):
            raise StepNotAsked
        return await self._resets.ask(flow.person)

    async def _need_asked(self, flow: Flow, step: str) -> UUID:
        """Return whose flow it is, if it waits for this step. Raises StepNotAsked, and what a step does."""
        if flow.person is None or step not in await self._verdicts.missing(flow):
            raise StepNotAsked
        return flow.person
