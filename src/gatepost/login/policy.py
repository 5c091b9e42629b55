"""Who is let in, on which proofs: the one place that decides. Pure functions of what is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.login.events import FailureReason
from gatepost.login.methods import METHODS, Method
from gatepost.mfa import Enrolled, EnrolmentNeeded, FactorPolicy, judge_factors
from gatepost.sessions import Assurance
from gatepost.users import Standing

__all__ = [
    "ENROLMENTS",
    "Conditions",
    "Proof",
    "Refused",
    "Situation",
    "StepNeeded",
    "Verdict",
    "assurance_of",
    "judge",
]

ENROLMENTS = {"totp": "enrol_totp", "passkey": "enrol_passkey"}
"""The steps that add a second factor, by its method."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What this installation asks: how long a proof counts, which one may come first, and a verified address or not.

    `tells_unverified`: whether who is right and not verified is told so, by which others learn that they signed up.
    """

    proofs_last: timedelta
    first: tuple[Method, ...]
    verified_email: bool
    tells_unverified: bool
    factors: FactorPolicy = "optional"


@dataclass(frozen=True, slots=True)
class Situation:
    """What else is known of a person: their second factors and whether they are an administrator.

    `remembered`: they are on a device where they have shown a second factor.
    """

    enrolled: Enrolled
    administrator: bool = False
    remembered: bool = False


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
    situation: Situation,
    now: datetime,
) -> Verdict:
    """Return what a session may be started with, the next step, or a refusal.

    `standing` and `situation` are the person's as last read. Whoever starts the session makes sure that both still
    hold then.
    """
    recent = [proof for proof in proofs if now - proof.at <= conditions.proofs_last]
    if not any(proof.method.comes_first for proof in recent):
        return StepNeeded(_firsts(conditions))
    if standing is None or any(proof.user_id != standing.user_id for proof in recent):
        return Refused("unknown_account")
    if reason := _what_forbids(conditions, standing, recent, now):
        return Refused(reason)
    shown = {proof.method for proof in recent}
    missing = judge_factors(
        conditions.factors,
        situation.enrolled,
        administrator=situation.administrator,
        shown={method.step for method in shown},
        enough_alone=any(len(method.factors) > 1 for method in shown),
        remembered=situation.remembered,
    )
    if missing is None:
        return assurance_of(shown)
    if isinstance(missing, EnrolmentNeeded):
        return StepNeeded(tuple(ENROLMENTS[each] for each in missing.methods))
    return StepNeeded(missing.methods or _firsts(conditions, besides=shown))


def _firsts(conditions: Conditions, besides: Iterable[Method] = ()) -> tuple[str, ...]:
    """Return the first steps that there are; those that show another factor than what was shown."""
    had = {factor for method in besides for factor in method.factors}
    return tuple(method.step for method in conditions.first if not method.factors & had)


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
