"""From proofs to a session: the only place that lets anybody in."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from gatepost.core.limits import Limits
from gatepost.core.principal import Carrier, Principal
from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.errors import (
    EmailUnverified,
    FlowInvalid,
    InvalidCredentials,
    MethodOff,
    MfaRequired,
    StepNotAsked,
)
from gatepost.login.flows import Begun, Flow, Flows
from gatepost.login.methods import MAIL, PASSKEY, RECOVERY_CODE, TOTP
from gatepost.login.policy import ENROLMENTS, Conditions, Proof, StepNeeded
from gatepost.login.provers import Context, PasswordProver, Prover, Shown, ShownEnrolment
from gatepost.login.schemas import (
    Credentials,
    MailStep,
    ProofStep,
    ProvenAgain,
    RecoveryCodeStep,
    RememberedDevice,
    ShownCredential,
    TotpStep,
)
from gatepost.login.verdicts import Verdicts
from gatepost.login.ways import Way
from gatepost.mfa import Mfa
from gatepost.passkeys import session_binding
from gatepost.sessions import Assurance, Carriage, EndReason, Sessions, StartedSession
from gatepost.tokens import TokenInvalid, TokenResponse, Tokens
from gatepost.users import Standing, Users

__all__ = ["Admission", "Login", "UnderWay"]

FIRST_PARTY_CLIENT = "first-party"
_AGAIN = frozenset({"password", PASSKEY.step, TOTP.step, RECOVERY_CODE.step})
_SECONDS = _AGAIN - {"password"}
_NO_DEVICE = RememberedDevice()


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody was let in: with tokens, or with a session whose secret goes into a cookie.

    `device` is the token of a device that is remembered from now on.
    """

    session: StartedSession
    profile: Any
    tokens: TokenResponse | None
    device: str | None = field(default=None, repr=False)
    recovery_codes: list[str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A flow that has begun, and what would do as its next step."""

    flow: Begun
    next: StepNeeded


@dataclass(frozen=True, slots=True)
class _Entry:
    """All that a session is asked for with: what is shown now, and what was before. `device` is remembered.

    `used`: what is shown is used up already, and these are the standings of after it.
    """

    shown: Sequence[Shown]
    carriage: Carriage
    used: Sequence[Standing] = ()
    before: Sequence[Proof] = ()
    device: UUID | None = None
    wants: RememberedDevice = _NO_DEVICE


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
        mfa: Mfa,
        password: PasswordProver,
        provers: Mapping[str, Prover],
        verdicts: Verdicts,
        conditions: Conditions,
    ) -> None:
        self._work = work
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._flows = flows
        self._limits = limits
        self._mfa = mfa
        self._password = password
        self._provers = provers
        self._verdicts = verdicts
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
        device: RememberedDevice = _NO_DEVICE,
    ) -> Admission | UnderWay:
        """Sign in with a password; `here` is whose session the same browser has, which ends with it.

        Where more is needed, a flow is under way with it. Raises InvalidCredentials, EmailUnverified, LimitExceeded,
        HashingBusy, ScopeInvalid.
        """
        granted = self._tokens.grantable(scope)
        shown = await self._password.check(given, Context(here=here))
        known = await self._mfa.remembered(shown.standing.user_id, device.device_token)
        proof = self._proof(shown)
        verdict = await self._verdicts.of(shown.standing, [proof], remembered=known is not None)
        await shown.accepted()
        if isinstance(verdict, StepNeeded):
            begun = await self._flows.begin(way.carrier, granted, remember=remember, proofs=[proof])
            return UnderWay(begun, verdict)
        await self._tokens.ready()
        carriage = Carriage(way.carrier, key_thumbprint, remember)
        entry = _Entry([shown], carriage, device=known)
        admitted = await self._let_in(entry, verdict, granted)
        await self._replace(here)
        return admitted

    async def begin(self, carrier: Carrier, scope: str | None = None, *, remember: bool = True) -> UnderWay:
        """Begin a sign-in of several steps. Raises LimitExceeded, ScopeInvalid."""
        granted = self._tokens.grantable(scope)
        await self._limits.begin(self._work.client)
        first = StepNeeded(tuple(method.step for method in self._conditions.first))
        return UnderWay(await self._flows.begin(carrier, granted, remember=remember), first)

    async def prove(
        self,
        handle: str,
        binding: str | None,
        given: ProofStep,
        *,
        here: Principal | None = None,
        key_thumbprint: str | None = None,
        carrier: Carrier | None = None,
    ) -> Admission | StepNeeded:
        """Take a step of a flow; of one that ends with this carrier, if one is named.

        Raises MethodOff, FlowInvalid, StepNotAsked, TotpDelayed, and what the prover and `with_password` do.
        """
        prover = self._prover(given.method)
        flow = await self._flows.open(handle, binding)
        if carrier not in {None, flow.carrier}:
            raise FlowInvalid
        await self._tokens.ready()
        try:
            shown = await prover.check(given, await self._context(flow, given.method, here))
            known = await self._mfa.remembered(shown.standing.user_id, given.device_token)
            flow = _renewed(flow, shown)
            proof, adds = self._proof(shown), isinstance(shown, ShownEnrolment)
            proofs, standing = [*flow.proofs, proof], shown.standing
            verdict = await self._verdicts.of(standing, proofs, remembered=known is not None, inside=adds)
            used, verdict = await self._settled(flow.proofs, shown, verdict)
        except (InvalidCredentials, EmailUnverified):
            await self._flows.failed(flow)
            raise
        await shown.accepted()
        if isinstance(verdict, StepNeeded):
            # As the person is after it: a proof that changes them must outlive its own change.
            after = used[0] if used else await shown.use()
            await self._flows.add(flow, replace(proof, version=after.version))
            return verdict
        # The flow is used up by the statement that asks whether it still may be: of two that finish it, one does.
        await self._flows.finish(flow)
        entry = _Entry([shown], _carriage(flow, key_thumbprint), used, flow.proofs, known, given)
        admitted = await self._let_in(entry, verdict, flow.scope)
        if flow.carrier == "cookie":
            await self._replace(here)
        return admitted

    async def with_link(
        self, token: str, binding: str | None, *, here: Principal | None = None
    ) -> Admission | UnderWay:
        """Sign a browser in by the link from a mail, at the end of the flow that asked for it, which has this binding.

        Without one, the link was asked for elsewhere, and the person has said that they want to sign in here. Where
        more is needed, a flow of this browser goes on with it. Raises MethodOff, FlowInvalid, InvalidCredentials,
        EmailUnverified, LimitExceeded.
        """
        prover = self._prover(MAIL.name)
        flow = await self._flow_here(binding)
        given = MailStep(flow="", method="mail", token=token, elsewhere=flow is None)
        context = Context(flow.person, None, flow.binding_digest, here) if flow else Context(here=here)
        shown = await prover.check(given, context)
        before = flow.proofs if flow else ()
        verdict = await self._verdicts.of(shown.standing, [*before, self._proof(shown)])
        used, verdict = await self._settled(before, shown, verdict)
        await shown.accepted()
        if flow is not None:
            await self._flows.finish(flow)
        # Who asked said how long to remember them; of a browser elsewhere nobody did.
        remember = flow.remember if flow else False
        if isinstance(verdict, StepNeeded):
            after = used[0] if used else await shown.use()
            proofs = [*before, self._proof(shown, after)]
            begun = await self._flows.begin(
                "cookie", self._tokens.grantable(None), remember=remember, proofs=proofs
            )
            return UnderWay(begun, verdict)
        entry = _Entry([shown], Carriage("cookie", None, remember), used, before)
        admitted = await self._let_in(entry, verdict, "")
        await self._replace(here)
        return admitted

    async def reauthenticate(self, me: Principal, given: ProvenAgain, *, remember: bool = True) -> Admission:
        """Let somebody who is signed in show that it is still them: a new session takes the place of theirs.

        It is worth what is shown now. A device that is remembered counts for nothing here.
        Raises InvalidCredentials, EmailUnverified, MfaRequired, TotpDelayed, TokenInvalid, LimitExceeded, HashingBusy.
        """
        await self._tokens.ready()
        shown = await self._shown_again(me, given)
        verdict = await self._verdicts.of(shown[-1].standing, [self._proof(each) for each in shown])
        if isinstance(verdict, StepNeeded):
            raise MfaRequired(tuple(each for each in verdict.methods if each in _AGAIN))
        for each in shown:
            await each.accepted()
        entry = _Entry(shown, Carriage(me.carrier, me.key_thumbprint, remember))
        admitted = await self._let_in(entry, verdict, " ".join(sorted(me.scope)))
        if await self._sessions.end(me.session_id, EndReason.RENEWED) is None:
            # It was ended meanwhile: whoever did so meant whoever holds it.
            raise TokenInvalid
        return admitted

    async def sign_out(self, session_id: UUID) -> None:
        """End a session, and with it its tokens."""
        await self._sessions.end(session_id, EndReason.SIGNED_OUT)

    # ── the door itself ──────────────────────────────────────────────────────────────────────────

    async def _context(self, flow: Flow, method: str, here: Principal | None) -> Context:
        """Return where a step is taken. Raises StepNotAsked where a factor is added that is not asked for."""
        if method in ENROLMENTS.values() and method not in await self._verdicts.missing(flow):
            raise StepNotAsked
        version = flow.proofs[-1].version if flow.proofs else None
        return Context(flow.person, version, flow.binding_digest, here)

    async def _shown_again(self, me: Principal, given: ProvenAgain) -> list[Shown]:
        """Look at all that was given: what is slow first, what is counted for good last."""
        context = Context(me.subject, None, session_binding(me.session_id))
        shown: list[Shown] = []
        if given.password is not None:
            shown.append(await self._password.check_again(me.subject, given.password))
        steps: list[tuple[str, Any]] = []
        if given.credential is not None:
            steps.append((PASSKEY.step, ShownCredential(credential=given.credential)))
        if given.code is not None:
            steps.append((TOTP.step, TotpStep(flow="", method="totp", code=given.code)))
        if given.recovery_code is not None:
            code = RecoveryCodeStep(flow="", method="recovery_code", code=given.recovery_code)
            steps.append((RECOVERY_CODE.step, code))
        return [*shown, *[await self._prover(name).check(step, context) for name, step in steps]]

    async def _settled(
        self, before: Sequence[Proof], shown: Shown, verdict: Assurance | StepNeeded
    ) -> tuple[Sequence[Standing], Assurance | StepNeeded]:
        """Ask again where an address is proven by this: with it the factors go that others have set before.

        Return the standing of after it, if it was used up for that, and the verdict.
        """
        if (
            not isinstance(verdict, StepNeeded)
            or not shown.method.proves_email
            or shown.standing.email_verified
        ):
            return (), verdict
        standing = await shown.use()
        proofs = [*before, self._proof(shown, standing)]
        return [standing], await self._verdicts.of(standing, proofs, inside=True)

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

    def _proof(self, shown: Shown, standing: Standing | None = None) -> Proof:
        as_of = standing or shown.standing
        return Proof(shown.method, as_of.user_id, self._work.now, as_of.version)

    async def _replace(self, here: Principal | None) -> None:
        """End the session that a browser had before."""
        if here is not None:
            await self._sessions.end(here.session_id, EndReason.RENEWED)

    async def _let_in(self, entry: _Entry, verdict: Assurance, scope: str) -> Admission:
        session = await self._start(entry, verdict)
        proofs = [*entry.before, *[self._proof(each) for each in entry.shown]]
        device = None
        if any(proof.method.step in _SECONDS for proof in proofs):
            # Whoever has their factor has not lost it.
            await self._mfa.signed_in(session.user_id)
            if entry.wants.remember_device:
                kept = await self._mfa.remember(session.user_id)
                device = kept[0] if kept else None
        last = entry.shown[-1]
        codes = last.recovery_codes if isinstance(last, ShownEnrolment) else None
        if session.cookie is None:
            tokens = await self._tokens.issue(session, scope)
            return Admission(session, None, tokens, device, codes)
        return Admission(session, await self._users.profile(session.user_id), None, device, codes)

    async def _start(self, entry: _Entry, verdict: Assurance) -> StartedSession:
        """Use what is shown up, and start a session if all still hold and policy admits the person as they are now."""
        used = [*entry.used] or [await each.use() for each in entry.shown]
        standing, last = used[-1], self._proof(entry.shown[-1])
        remembered = await self._still_remembered(entry, standing.user_id)
        if used != [each.standing for each in entry.shown] or (entry.device and not remembered):
            proofs = [self._proof(each, as_of) for each, as_of in zip(entry.shown, used, strict=True)]
            verdict = await self._judged(standing, [*entry.before, *proofs], remembered=remembered)
        session = await self._session(standing, verdict, entry)
        if session is None:
            # Something of the person changed meanwhile: let them in only if it was not what the proof is about.
            # From here on the row is locked, so that the second try is the last.
            row = (await self._work.execute(queries.STANDING_NOW, {"user_id": standing.user_id})).first()
            if row is None or not all([await each.holds() for each in entry.shown]):
                raise self._verdicts.refusal(last, "changed")
            standing = Standing.of(row)
            proofs = [self._proof(each, standing) for each in entry.shown]
            verdict = await self._judged(standing, [*entry.before, *proofs], remembered=remembered)
            session = await self._session(standing, verdict, entry)
        if session is None:
            raise self._verdicts.refusal(last, "disabled")
        for each in entry.shown:
            await each.finish()
        return session

    async def _still_remembered(self, entry: _Entry, user_id: UUID) -> bool:
        return entry.device is not None and await self._mfa.use_device(user_id, entry.device)

    async def _judged(self, standing: Standing, proofs: Sequence[Proof], *, remembered: bool) -> Assurance:
        """Return what policy says of a person whose row is locked, or who must not change until the session starts."""
        verdict = await self._verdicts.of(standing, proofs, remembered=remembered, inside=True)
        if isinstance(verdict, StepNeeded):
            # Less was missing before: they have just got a factor, or the device is a stranger again.
            raise self._verdicts.refusal(proofs[-1], "step_missing")
        return verdict

    async def _session(
        self, standing: Standing, assurance: Assurance, entry: _Entry
    ) -> StartedSession | None:
        return await self._sessions.start(standing, FIRST_PARTY_CLIENT, assurance, entry.carriage)


def _renewed(flow: Flow, shown: Shown) -> Flow:
    """Return the flow with its steps as of now, if the last step has added a factor and nothing else has changed."""
    if not isinstance(shown, ShownEnrolment):
        return flow
    return replace(flow, proofs=tuple(replace(each, version=shown.standing.version) for each in flow.proofs))


def _carriage(flow: Flow, key_thumbprint: str | None) -> Carriage:
    """Return how the session at the end of a flow travels: as was said when it began."""
    return Carriage(flow.carrier, key_thumbprint if flow.carrier == "bearer" else None, flow.remember)
