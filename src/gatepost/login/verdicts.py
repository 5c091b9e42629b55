"""What policy says of somebody, with all that it has to know of them."""

from collections.abc import Sequence
from uuid import UUID

from gatepost.access import ADMIN, Access
from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.errors import EmailUnverified, InvalidCredentials
from gatepost.login.events import FailureReason
from gatepost.login.flows import Flow
from gatepost.login.policy import Conditions, Proof, Refused, Situation, StepNeeded, judge
from gatepost.login.refusals import refused
from gatepost.mfa import Enrolled, Mfa
from gatepost.sessions import Assurance
from gatepost.users import Standing

__all__ = ["Verdicts"]


class Verdicts:
    """Asks policy, for the door and for whatever else happens in a sign-in under way."""

    def __init__(self, work: Work, mfa: Mfa, access: Access, conditions: Conditions) -> None:
        self._work = work
        self._mfa = mfa
        self._access = access
        self._conditions = conditions

    async def of(
        self, standing: Standing, proofs: Sequence[Proof], *, remembered: bool = False, inside: bool = False
    ) -> Assurance | StepNeeded:
        """Return what policy says. Raises InvalidCredentials, EmailUnverified.

        The standing was read before; what is read here is at least as new, and a session starts only if the standing
        holds still. `inside`: the transaction has changed the person.
        """
        # Who is refused whatever they have set up costs no look at it: the time would tell that the proof was right.
        hopeless = judge(self._conditions, standing, proofs, Situation(Enrolled()), self._work.now)
        if isinstance(hopeless, Refused):
            raise self.refusal(proofs[-1], hopeless.reason)
        situation = await self._situation(standing.user_id, remembered=remembered, inside=inside)
        verdict = judge(self._conditions, standing, proofs, situation, self._work.now)
        if isinstance(verdict, Refused):
            raise self.refusal(proofs[-1], verdict.reason)
        return verdict

    async def missing(self, flow: Flow) -> tuple[str, ...]:
        """Return which steps a flow waits for, after its first; none before. Raises as `of`."""
        if flow.person is None:
            return ()
        row = await self._work.read.first(queries.STANDING_OF, {"user_id": flow.person})
        if row is None:
            raise self.refusal(flow.proofs[-1], "unknown_account")
        verdict = await self.of(Standing.of(row), flow.proofs)
        return verdict.methods if isinstance(verdict, StepNeeded) else ()

    def refusal(self, proof: Proof, reason: FailureReason) -> InvalidCredentials | EmailUnverified:
        """Record a refusal, and return it."""
        refusal = refused(self._work, proof.method, proof.user_id, reason)
        if reason == "email_unverified" and self._conditions.tells_unverified:
            return EmailUnverified()
        return refusal

    async def _situation(self, user_id: UUID, *, remembered: bool, inside: bool) -> Situation:
        policy = self._conditions.factors
        if policy == "off":
            return Situation(Enrolled())
        enrolled = await (self._mfa.enrolled_now(user_id) if inside else self._mfa.enrolled(user_id))
        by_role = policy == "required-for-administrators" and not enrolled.factors
        administrator = by_role and ADMIN in await self._access.roles_of(user_id)
        return Situation(enrolled, administrator, remembered)
