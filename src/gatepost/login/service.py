"""From proofs to a session: the only place that lets anybody in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gatepost.core.limits import Attempt, Limits
from gatepost.core.principal import Carrier, Principal
from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.errors import EmailUnverified, InvalidCredentials
from gatepost.login.events import FailureReason, LoginFailed
from gatepost.login.flows import Begun, Flow, Flows
from gatepost.login.known import KnownNetworks
from gatepost.login.methods import PASSWORD
from gatepost.login.policy import FIRST_STEP, Conditions, Proof, Refused, StepNeeded, judge
from gatepost.login.ways import Way
from gatepost.passwords import CheckedPassword, Passwords
from gatepost.sessions import Assurance, Carriage, EndReason, Sessions, StartedSession
from gatepost.tokens import TokenInvalid, TokenResponse, Tokens
from gatepost.users import Standing, Users, canonical_email

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
    """The door."""

    def __init__(
        self,
        work: Work,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        tokens: Tokens,
        flows: Flows,
        limits: Limits,
        known: KnownNetworks,
        conditions: Conditions,
    ) -> None:
        self._work = work
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._flows = flows
        self._limits = limits
        self._known = known
        self._conditions = conditions

    # ── ways in ──────────────────────────────────────────────────────────────────────────────────

    async def with_password(
        self,
        way: Way,
        email: str,
        password: str,
        scope: str | None = None,
        *,
        replaces: UUID | None = None,
        key_thumbprint: str | None = None,
        remember: bool = True,
    ) -> Admission:
        """Sign in with a password; `replaces` names a session of the same browser that ends with it.

        Raises InvalidCredentials, EmailUnverified, LimitExceeded, HashingBusy, ScopeInvalid.
        """
        granted = self._tokens.grantable(scope)
        checked, attempt = await self._checked(email, password)
        proofs = [self._proof(checked)]
        self._need_admitted(checked.standing, proofs)
        # Before the transaction, which must not wait for Redis.
        await attempt.succeeded()
        checked = await self._passwords.hashed_anew(checked, password)
        session = await self._start(checked, proofs, Carriage(way.carrier, key_thumbprint, remember))
        await self._replace(replaces)
        return await self._admission(session, granted)

    async def begin(self, carrier: Carrier, scope: str | None = None, *, remember: bool = True) -> FirstSteps:
        """Begin a sign-in of several steps. Raises LimitExceeded, ScopeInvalid."""
        granted = self._tokens.grantable(scope)
        await self._limits.guess(self._work.client)
        return FirstSteps(await self._flows.begin(carrier, granted, remember=remember), FIRST_STEP)

    async def prove(
        self,
        handle: str,
        binding: str | None,
        email: str,
        password: str,
        *,
        replaces: UUID | None = None,
        key_thumbprint: str | None = None,
    ) -> Admission | StepNeeded:
        """Take a step of a flow. Raises FlowInvalid, and what `with_password` does."""
        flow = await self._flows.open(handle, binding)
        try:
            checked, attempt = await self._checked(email, password)
            proofs = [*flow.proofs, self._proof(checked)]
            verdict = self._verdict(checked.standing, proofs)
        except (InvalidCredentials, EmailUnverified):
            await self._flows.failed(flow)
            raise
        await attempt.succeeded()
        if isinstance(verdict, StepNeeded):
            await self._flows.add(flow, proofs[-1])
            return verdict
        checked = await self._passwords.hashed_anew(checked, password)
        # The flow is used up by the statement that asks whether it still may be: of two that finish it, one does.
        await self._flows.finish(flow)
        session = await self._start(checked, proofs, _carriage(flow, key_thumbprint))
        if flow.carrier == "cookie":
            await self._replace(replaces)
        return await self._admission(session, flow.scope)

    async def reauthenticate(self, me: Principal, password: str, *, remember: bool = True) -> Admission:
        """Let somebody who is signed in show that it is still them: a new session takes the place of theirs.

        Raises InvalidCredentials, EmailUnverified, TokenInvalid, LimitExceeded, HashingBusy.
        """
        self._passwords.expect_turn()
        profile = await self._users.profile(me.subject)
        # The same counter as at the front door: who has taken over a session gets no tries of their own.
        attempt = await self._limits.attempt(self._work.client, canonical_email(profile.email))
        checked = await self._passwords.check_of(me.subject, password)
        if not checked.correct:
            raise self._refused(me.subject, "wrong_password")
        proofs = [self._proof(checked)]
        self._need_admitted(checked.standing, proofs)
        await attempt.succeeded()
        await self._tokens.ready()
        checked = await self._passwords.hashed_anew(checked, password)
        session = await self._start(checked, proofs, Carriage(me.carrier, me.key_thumbprint, remember))
        if await self._sessions.end(me.session_id, EndReason.RENEWED) is None:
            # It was ended meanwhile: whoever did so meant whoever holds it.
            raise TokenInvalid
        return await self._admission(session, " ".join(sorted(me.scope)))

    async def sign_out(self, session_id: UUID) -> None:
        """End a session, and with it its tokens."""
        await self._sessions.end(session_id, EndReason.SIGNED_OUT)

    # ── the door itself ──────────────────────────────────────────────────────────────────────────

    async def _checked(self, email: str, password: str) -> tuple[CheckedPassword, Attempt]:
        """Check a password by address. Raises InvalidCredentials, LimitExceeded, HashingBusy."""
        # A flood is refused before it is counted: a refusal that tells nothing costs no tries, and must cost no time.
        self._passwords.expect_turn()
        account = _account(email)
        name = account or email.strip().casefold()  # what is no address is counted too
        # Before anything is looked up or hashed: who comes too often costs next to nothing.
        attempt = await self._limits.attempt(self._work.client, name, lambda: self._known.is_here(name))
        await self._tokens.ready()
        checked = await self._passwords.check(account, password)
        if not checked.correct:
            raise self._refused(checked.user_id, "wrong_password" if checked.user_id else "unknown_account")
        return checked, attempt

    def _proof(self, checked: CheckedPassword) -> Proof:
        if checked.user_id is None:
            raise RuntimeError("a proof is about somebody")
        return Proof(PASSWORD, checked.user_id, self._work.now)

    def _verdict(self, standing: Standing | None, proofs: Sequence[Proof]) -> Assurance | StepNeeded:
        """Return what policy says of these proofs. Raises InvalidCredentials, EmailUnverified."""
        verdict = judge(self._conditions, standing, proofs, self._work.now)
        if isinstance(verdict, Refused):
            raise self._refused(standing.user_id if standing else None, verdict.reason)
        return verdict

    def _need_admitted(self, standing: Standing | None, proofs: Sequence[Proof]) -> Assurance:
        verdict = self._verdict(standing, proofs)
        if isinstance(verdict, StepNeeded):
            # No policy asks for a second step yet where there is no flow to take it in.
            raise self._refused(standing.user_id if standing else None, "wrong_password")
        return verdict

    async def _replace(self, session_id: UUID | None) -> None:
        """End the session that a browser had before."""
        if session_id is not None:
            await self._sessions.end(session_id, EndReason.RENEWED)

    async def _start(
        self, checked: CheckedPassword, proofs: Sequence[Proof], carriage: Carriage
    ) -> StartedSession:
        """Start a session if the proofs still hold and policy admits the person as they are now."""
        standing = checked.standing
        if standing is None:
            raise RuntimeError("nobody to let in")
        session = await self._try_to_start(standing, proofs, carriage)
        if session is None:
            # Something of the person changed meanwhile: let them in only if it was not what the proof is about.
            # From here on the row is locked, so that the second try is the last.
            row = (await self._work.execute(queries.STANDING_NOW, {"user_id": standing.user_id})).first()
            if row is None or not await self._passwords.unchanged(checked):
                raise self._refused(standing.user_id, "wrong_password")
            session = await self._try_to_start(Standing.of(row), proofs, carriage)
        if session is None:
            raise self._refused(standing.user_id, "disabled")
        await self._passwords.renew(checked)
        return session

    async def _try_to_start(
        self, standing: Standing, proofs: Sequence[Proof], carriage: Carriage
    ) -> StartedSession | None:
        assurance = self._need_admitted(standing, proofs)
        return await self._sessions.start(standing, FIRST_PARTY_CLIENT, assurance, carriage)

    async def _admission(self, session: StartedSession, scope: str) -> Admission:
        if session.cookie is None:
            return Admission(session, None, await self._tokens.issue(session, scope))
        return Admission(session, await self._users.profile(session.user_id), None)

    def _refused(self, user_id: UUID | None, reason: FailureReason) -> InvalidCredentials | EmailUnverified:
        self._work.events.record(LoginFailed(subject=user_id, method=PASSWORD.name, reason=reason))
        return EmailUnverified() if reason == "email_unverified" else InvalidCredentials()


def _account(email: str) -> str | None:
    """Return the one name of an account in every spelling; None for what is no address."""
    try:
        return canonical_email(email)
    except ValueError:
        return None


def _carriage(flow: Flow, key_thumbprint: str | None) -> Carriage:
    """Return how the session at the end of a flow travels: as was said when it began."""
    return Carriage(flow.carrier, key_thumbprint if flow.carrier == "bearer" else None, flow.remember)
