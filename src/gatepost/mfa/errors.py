"""What can go wrong with second factors."""

from gatepost.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany

__all__ = [
    "CodeWrong",
    "FactorNeeded",
    "FactorNotFound",
    "FactorResetOff",
    "FactorsOff",
    "FactorsYourOwn",
    "NoFactor",
    "TooManyFactors",
    "TotpDelayed",
]


class CodeWrong(Invalid):
    """A code that is wrong, was used, or belongs to nothing that waits for one: one answer for all."""

    code = "code-wrong"
    sentence = "This code is not right, or was used before."
    # A wrong code is counted, and that must stay.
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(field="code")


class TotpDelayed(TooMany):
    """Too many wrong codes for this person: the next one must wait, also a right one."""

    code = "totp-delayed"
    sentence = "Too many wrong codes. Wait, or show in another way that it is you."


class FactorsOff(Forbidden):
    """This installation has no second factors."""

    code = "factors-off"
    sentence = "Second factors are turned off here."


class FactorNotFound(NotFound):
    """The person has no such factor or device."""

    code = "factor-not-found"
    sentence = "You have no such factor or device."


class TooManyFactors(Conflict):
    """The person has as many authenticator apps as anybody may."""

    code = "too-many-factors"
    sentence = "Remove one of your authenticator apps first."


class NoFactor(Conflict):
    """Recovery codes stand in for a second factor, and the person has none."""

    code = "no-factor"
    sentence = "Add a second factor first."


class FactorNeeded(Conflict):
    """The last second factor of somebody who must have one."""

    code = "factor-needed"
    sentence = "You must have a second factor here. Add another one before you remove this."


class FactorResetOff(Forbidden):
    """Whoever has lost their second factor has to ask an administrator here."""

    code = "factor-reset-off"
    sentence = "Ask an administrator to reset your second factors."


class FactorsYourOwn(Forbidden):
    """An administrator's own factors are removed as everybody's are: with a factor, or after the delay."""

    code = "factors-your-own"
    sentence = "Remove your own factors one by one, or ask another administrator."
