"""Whether somebody must show a second factor, and which would do. A pure function of what is known."""

from collections.abc import Collection
from dataclasses import dataclass

from gatepost.mfa.settings import FactorPolicy

__all__ = ["PASSKEY", "RECOVERY_CODE", "TOTP", "Enrolled", "EnrolmentNeeded", "FactorStep", "judge_factors"]

TOTP = "totp"
PASSKEY = "passkey"
RECOVERY_CODE = "recovery_code"

# All of them are things that somebody has: two of them together are one kind of factor.
_SECONDS = frozenset({TOTP, PASSKEY, RECOVERY_CODE})


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The second factors that a person has, by the names of their methods, and how many recovery codes are left."""

    factors: frozenset[str] = frozenset()
    recovery_codes: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """What they may show as their second: any factor they have, and a recovery code in its place."""
        stand_in = (RECOVERY_CODE,) if self.factors and self.recovery_codes else ()
        return (*sorted(self.factors, key=_strongest_first), *stand_in)


@dataclass(frozen=True, slots=True)
class FactorStep:
    """One of these methods is still to be shown. None of them: a first factor would do, as there was none."""

    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnrolmentNeeded:
    """The person has no second factor and must have one: one of these is to be added before they are let in."""

    methods: tuple[str, ...]


def judge_factors(
    policy: FactorPolicy,
    enrolled: Enrolled,
    *,
    administrator: bool,
    shown: Collection[str],
    enough_alone: bool = False,
    remembered: bool = False,
) -> FactorStep | EnrolmentNeeded | None:
    """Return what somebody who has shown these methods must still do for their second factor; None: nothing.

    `enough_alone`: one of the methods was two factors in one, as a passkey that has verified its owner is.
    `remembered`: the device is. Neither is ever an answer to whoever asks for more assurance than a sign-in.
    """
    if policy == "off" or enough_alone:
        return None
    if enrolled.factors:
        first = not _SECONDS.issuperset(shown)
        # A code that was used is gone from those left, and has been shown all the same.
        second = not {*enrolled.factors, RECOVERY_CODE}.isdisjoint(shown)
        if first and (second or remembered):
            return None
        return FactorStep(tuple(each for each in enrolled.methods if each not in shown) if first else ())
    if policy == "required" or (policy == "required-for-administrators" and administrator):
        return EnrolmentNeeded((TOTP, PASSKEY))
    return None


def _strongest_first(method: str) -> tuple[bool, str]:
    return method != PASSKEY, method
