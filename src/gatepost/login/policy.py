"""Who is let in, on which proofs: the one place that decides. Pure functions of what is known."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.login.events import FailureReason
from gatepost.login.methods import METHODS, Method
from gatepost.sessions import Assurance
from gatepost.users import Standing

__all__ = ["Conditions", "Proof", "Refused", "StepNeeded", "Verdict", "assurance_of", "judge"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What this installation asks: how long a proof counts, which one may come first, and a verified address or not.

    `tells_unverified`: whether who is right and not verified is told so, by which others learn that they signed up.
    """

    proofs_last: timedelta
    first: tuple[Method, ...]
    verified_email: bool
    tells_unverified: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody has shown, by this method and at this moment, that they are this person, as they were at `version`.

    With any change of the person (another password, another address, a factor less) it is worth nothing.
    """

    method: Method
    user_id: UUID
    at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class StepNeeded:
    """Not enough yet: one of these methods would do as the next step."""

    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """No further proof helps; the reason is for operators."""

    reason: FailureReason


Verdict = Assurance | StepNeeded | Refused


def judge(
    conditions: Conditions,
    standing: Standing | None,
    proofs: Sequence[Proof],
    enrolled: Collection[Method],
    now: datetime,
) -> Verdict:
    """Return what a session may be started with, the next step, or a refusal.

    `standing` is the person's as last read, `enrolled` are the methods that they have set up as a second step.
    Whoever starts the session makes sure that both still hold then.
    """
    recent = [proof for proof in proofs if now - proof.at <= conditions.proofs_last]
    if not recent:
        return StepNeeded(tuple(method.name for method in conditions.first))
    if standing is None or any(proof.user_id != standing.user_id for proof in recent):
        return Refused("unknown_account")
    if reason := _what_forbids(conditions, standing, recent, now):
        return Refused(reason)
    shown = {proof.method for proof in recent}
    if enrolled and not any(each in enrolled or len(each.factors) > 1 for each in shown):
        return StepNeeded(tuple(sorted(each.name for each in enrolled)))
    return assurance_of(shown)


def _what_forbids(
    conditions: Conditions, standing: Standing, proofs: Sequence[Proof], now: datetime
) -> FailureReason | None:
    """Return why this person is not let in, whatever else they show."""
    if not standing.is_active:
        return "disabled"
    if standing.is_locked(now):
        return "locked"
    proven = standing.email_verified or any(proof.method.proves_email for proof in proofs)
    if conditions.verified_email and not proven:
        return "email_unverified"
    if any(proof.version != standing.version for proof in proofs):
        return "changed"
    return None


def assurance_of(methods: Iterable[Method]) -> Assurance:
    """Return what these methods together are worth; in the order of their registry, each counted once."""
    used = set(methods)
    named = [method for method in METHODS.values() if method in used]
    factors = {factor for method in named for factor in method.factors}
    amr = tuple(dict.fromkeys(value for method in named for value in method.amr))
    if len(factors) < 2:
        return Assurance(amr, SINGLE_FACTOR)
    strongest = any(method.phishing_resistant and len(method.factors) > 1 for method in named)
    return Assurance((*amr, "mfa"), PHISHING_RESISTANT if strongest else MULTI_FACTOR)
