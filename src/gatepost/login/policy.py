"""Who is let in, on which proofs: the one place that decides. Pure functions of what is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.login.events import FailureReason
from gatepost.login.methods import METHODS, PASSWORD, Method
from gatepost.sessions import Assurance
from gatepost.users import Standing

__all__ = ["FIRST_STEP", "Conditions", "Proof", "Refused", "StepNeeded", "Verdict", "assurance_of", "judge"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What this installation asks: how long a proof counts, and whether the address must be verified."""

    proofs_last: timedelta
    verified_email: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody has shown, by this method and at this moment, that they are this person."""

    method: Method
    user_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class StepNeeded:
    """Not enough yet: one of these methods would do as the next step."""

    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """No further proof helps; the reason is for operators."""

    reason: FailureReason


Verdict = Assurance | StepNeeded | Refused

FIRST_STEP = StepNeeded((PASSWORD.name,))
"""What is asked of whoever has shown nothing yet."""


def judge(
    conditions: Conditions, standing: Standing | None, proofs: Sequence[Proof], now: datetime
) -> Verdict:
    """Return what a session may be started with, the next step, or a refusal.

    `standing` is the person's as last read. Whoever starts the session makes sure that it still holds then.
    """
    recent = [proof for proof in proofs if now - proof.at <= conditions.proofs_last]
    if not recent:
        return FIRST_STEP
    if standing is None or any(proof.user_id != standing.user_id for proof in recent):
        return Refused("unknown_account")
    if not standing.is_active:
        return Refused("disabled")
    if standing.is_locked(now):
        return Refused("locked")
    if conditions.verified_email and not standing.email_verified:
        return Refused("email_unverified")
    return assurance_of(proof.method for proof in recent)


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
