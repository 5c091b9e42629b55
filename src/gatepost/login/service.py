"""From proofs to a session: the only place that lets anybody in."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gatepost.core.limits import Limits
from gatepost.core.principal import Carrier, Principal
from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.enrolled import Enrolled
from gatepost.login.errors import EmailUnverified, FlowInvalid, InvalidCredentials, MethodOff
from gatepost.login.events import FailureReason
from gatepost.login.flows import Begun, Flow, Flows
from gatepost.login.methods import MAIL, PASSWORD, Method
from gatepost.login.policy import Conditions, Proof, Refused, StepNeeded, judge
from gatepost.login.provers import Context, PasswordProver, Prover, Shown
from gatepost.login.refusals import refused
from gatepost.login.schemas import Credentials, MailStep, ProofStep
from gatepost.login.ways import Way
from gatepost.sessions import Assurance, Carriage, EndReason, Sessions, StartedSession
from gatepost.tokens import TokenInvalid, TokenResponse, Tokens
from gatepost.users import Standing, Users

__all__ = ["Admission", "FirstSteps", "Login"]

FIRST_PARTY_CLIENT = "first-party"


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody was let in: with tokens, or with a session whose secret goes into a cookie."""

    session: StartedSession
    profile: Any
    tokens: TokenResponse | None


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """A flow that has begun, and what would do as its first step."""

    flow: Begun
    next: StepNeeded


class Login:
    """The door. `provers` are the methods that a step of a flow may be, by name."""

    def __init__(
        self,
        work: Work,
        users: Users,
        sessions: Sessions,
        tokens: Tokens,
        flows: Flows,
        limits: Limits,
        password: PasswordProver,
        provers: Mapping[str, Prover],
        enrolled: Enrolled,
        conditions: Conditions,
    ) -> None:
        self._work = work
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._flows = flows
        self._limits = limits
        self._password = password
        self._provers = provers
        self._enrolled = enrolled
        self._conditions = conditions

    # ── ways in ──────────────────────────────────────────────────────────────────────────────────

    async def with_password(
        self,
        way: Way,
        given: Credentials,
        scope: str | None = None,
        *,
        here: Principal | None = None,
        key_thumbprint: str | None = None,
        remember: bool = True,
    ) -> Admission:
        """Sign in with a password; `here` is whose session the same browser has, which ends with it.

        Raises InvalidCredentials, EmailUnverified, LimitExceeded, HashingBusy, ScopeInvalid.
        """
        granted = self._tokens.grantable(scope)
        shown = await self._password.check(given, Context(here=here))
        proofs = [self._proof(PASSWORD, shown.standing)]
        await self._need_admitted(shown.standing, proofs)
        await shown.accepted()
        await self._tokens.ready()
        session = await self._start(shown, proofs, Carriage(way.carrier, key_thumbprint, remember))
        await self._replace(here)
        return await self._admission(session, granted)

    async def begin(self, carrier: Carrier, scope: str | None = None, *, remember: bool = True) -> FirstSteps:
        """Begin a sign-in of several steps. Raises LimitExceeded, ScopeInvalid."""
        granted = self._tokens.grantable(scope)
        await self._limits.guess(self._work.client)
        first = StepNeeded(tuple(method.name for method in self._conditions.first))
        return FirstSteps(await self._flows.begin(carrier, granted, remember=remember), first)

    async def prove(
        self,
        handle: str,
        binding: str | None,
        given: ProofStep,
        *,
        here: Principal | None = None,
        key_thumbprint: str | None = None,
    ) -> Admission | StepNeeded:
        """Take a step of a flow. Raises MethodOff, FlowInvalid, and what the prover and `with_password` do."""
        prover = self._prover(given.method)
        flow = await self._flows.open(handle, binding)
        try:
            shown = await prover.check(given, Context(flow.person, flow.binding_digest, here))
            proofs = [*flow.proofs, self._proof(prover.method, shown.standing)]
            verdict = await self._verdict(shown.standing, proofs)
        except (InvalidCredentials, EmailUnverified):
            await self._flows.failed(flow)
            raise
        await shown.accepted()
        if isinstance(verdict, StepNeeded):
            # As the person is after it: a proof that changes them must outlive its own change.
            await self._flows.add(flow, replace(proofs[-1], version=(await shown.use()).version))
            return verdict
        await self._tokens.ready()
        # The flow is used up by the statement that asks whether it still may be: of two that finish it, one does.
        await self._flows.finish(flow)
        session = await self._start(shown, proofs, _carriage(flow, key_thumbprint))
        if flow.carrier == "cookie":
            await self._replace(here)
        return await self._admission(session, flow.scope)

    async def with_link(self, token: str, binding: str | None, *, here: Principal | None = None) -> Admission:
        """Sign a browser in by the link from a mail, at the end of the flow that asked for it, which has this binding.

        Without one, the link was asked for elsewhere, and the person has said that they want to sign in here. Raises
        MethodOff, FlowInvalid, InvalidCredentials, EmailUnverified, LimitExceeded.
        """
        prover = self._prover(MAIL.name)
        flow = await self._flow_here(binding)
        given = MailStep(flow="", method="mail", token=token, elsewhere=flow is None)
        context = Context(flow.person, flow.binding_digest, here) if flow else Context(here=here)
        shown = await prover.check(given, context)
        proofs = [*(flow.proofs if flow else ()), self._proof(MAIL, shown.standing)]
        await self._need_admitted(shown.standing, proofs)
        await shown.accepted()
        if flow is not None:
            await self._flows.finish(flow)
        # Who asked said how long to remember them; of a browser elsewhere nobody did.
        carriage = Carriage("cookie", None, flow.remember if flow else False)
        session = await self._start(shown, proofs, carriage)
        await self._replace(here)
        return await self._admission(session, "")

    async def reauthenticate(self, me: Principal, password: str, *, remember: bool = True) -> Admission:
        """Let somebody who is signed in show that it is still them: a new session takes the place of theirs.

        Raises InvalidCredentials, EmailUnverified, TokenInvalid, LimitExceeded, HashingBusy.
        """
        shown = await self._password.check_again(me.subject, password)
        proofs = [self._proof(PASSWORD, shown.standing)]
        await self._need_admitted(shown.standing, proofs)
        await shown.accepted()
        await self._tokens.ready()
        session = await self._start(shown, proofs, Carriage(me.carrier, me.key_thumbprint, remember))
        if await self._sessions.end(me.session_id, EndReason.RENEWED) is None:
            # It was ended meanwhile: whoever did so meant whoever holds it.
            raise TokenInvalid
        return await self._admission(session, " ".join(sorted(me.scope)))

    async def sign_out(self, session_id: UUID) -> None:
        """End a session, and with it its tokens."""
        await self._sessions.end(session_id, EndReason.SIGNED_OUT)

    # ── the door itself ──────────────────────────────────────────────────────────────────────────

    async def _flow_here(self, binding: str | None) -> Flow | None:
        """Return the flow of this binding; None if it is over: wrong codes end a flow, and not the link."""
        if binding is None:
            return None
        with suppress(FlowInvalid):
            return await self._flows.open_here(binding)
        return None

    def _prover(self, method: str) -> Prover:
        prover = self._provers.get(method)
        if prover is None:
            raise MethodOff
        return prover

    def _proof(self, method: Method, standing: Standing) -> Proof:
        return Proof(method, standing.user_id, self._work.now, standing.version)

    async def _verdict(self, standing: Standing, proofs: Sequence[Proof]) -> Assurance | StepNeeded:
        """Return what policy says of these proofs. Raises InvalidCredentials, EmailUnverified."""
        enrolled = await self._enrolled.of(standing.user_id)
        verdict = judge(self._conditions, standing, proofs, enrolled, self._work.now)
        if isinstance(verdict, Refused):
            raise self._refused(proofs[-1], verdict.reason)
        return verdict

    async def _need_admitted(self, standing: Standing, proofs: Sequence[Proof]) -> Assurance:
        verdict = await self._verdict(standing, proofs)
        if isinstance(verdict, StepNeeded):
            # There is no flow to take another step in.
            raise self._refused(proofs[-1], "step_missing")
        return verdict

    async def _replace(self, here: Principal | None) -> None:
        """End the session that a browser had before."""
        if here is not None:
            await self._sessions.end(here.session_id, EndReason.RENEWED)

    async def _start(self, shown: Shown, proofs: Sequence[Proof], carriage: Carriage) -> StartedSession:
        """Use the last proof up, and start a session if all still hold and policy admits the person as they are now."""
        *before, last = proofs
        standing = await shown.use()
        session = await self._try_to_start(standing, [*before, _at(last, standing)], carriage)
        if session is None:
            # Something of the person changed meanwhile: let them in only if it was not what the proof is about.
            # From here on the row is locked, so that the second try is the last.
            row = (await self._work.execute(queries.STANDING_NOW, {"user_id": standing.user_id})).first()
            if row is None or not await shown.holds():
                raise self._refused(last, "changed")
            standing = Standing.of(row)
            session = await self._try_to_start(standing, [*before, _at(last, standing)], carriage)
        if session is None:
            raise self._refused(last, "disabled")
        await shown.finish()
        return session

    async def _try_to_start(
        self, standing: Standing, proofs: Sequence[Proof], carriage: Carriage
    ) -> StartedSession | None:
        assurance = await self._need_admitted(standing, proofs)
        return await self._sessions.start(standing, FIRST_PARTY_CLIENT, assurance, carriage)

    async def _admission(self, session: StartedSession, scope: str) -> Admission:
        if session.cookie is None:
            return Admission(session, None, await self._tokens.issue(session, scope))
        return Admission(session, await self._users.profile(session.user_id), None)

    def _refused(self, proof: Proof, reason: FailureReason) -> InvalidCredentials | EmailUnverified:
        refusal = refused(self._work, proof.method, proof.user_id, reason)
        if reason == "email_unverified" and self._conditions.tells_unverified:
            return EmailUnverified()
        return refusal


def _at(proof: Proof, standing: Standing) -> Proof:
    return replace(proof, version=standing.version)


def _carriage(flow: Flow, key_thumbprint: str | None) -> Carriage:
    """Return how the session at the end of a flow travels: as was said when it began."""
    return Carriage(flow.carrier, key_thumbprint if flow.carrier == "bearer" else None, flow.remember)
