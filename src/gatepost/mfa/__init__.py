"""Second factors: authenticator apps, recovery codes, remembered devices, and the ways on without them.

Owns the tables `totp_factors`, `totp_guesses`, `recovery_codes`, `remembered_devices` and `factor_resets`. Promises
that a code works once, whoever shows it and wherever; that a person's codes bear few guesses for good; that nothing
counts before it is confirmed; and that no factor goes without its owner's word, a delay or an administrator, and a
notice. Lets nobody in: the door does.
"""

from gatepost.mfa.clean_up import due_resets, factor_jobs
from gatepost.mfa.devices import RememberedDevices
from gatepost.mfa.errors import (
    CodeWrong,
    FactorNeeded,
    FactorNotFound,
    FactorResetOff,
    FactorsOff,
    NoFactor,
    TotpDelayed,
)
from gatepost.mfa.events import (
    DeviceForgotten,
    DeviceRemembered,
    FactorAdded,
    FactorRemoved,
    FactorResetAsked,
    FactorResetCancelled,
    FactorsReset,
    FactorsResetByAdministrator,
    RecoveryCodeRefused,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TotpRefused,
)
from gatepost.mfa.guesses import FREE
from gatepost.mfa.models import (
    SEALED,
    FactorReset,
    RecoveryCode,
    RememberedDevice,
    TotpFactor,
    TotpGuesses,
)
from gatepost.mfa.own_factors import Factors
from gatepost.mfa.policy import (
    PASSKEY,
    RECOVERY_CODE,
    TOTP,
    Enrolled,
    EnrolmentNeeded,
    FactorStep,
    judge_factors,
)
from gatepost.mfa.qr import qr_svg
from gatepost.mfa.resets import FactorResets
from gatepost.mfa.schemas import ConfirmTotp, FactorConfirmed, NewTotp, TotpEnrolment
from gatepost.mfa.service import Mfa, OtherFactors
from gatepost.mfa.settings import FactorPolicy, MfaOptions

__all__ = [
    "FREE",
    "PASSKEY",
    "RECOVERY_CODE",
    "SEALED",
    "TOTP",
    "CodeWrong",
    "ConfirmTotp",
    "DeviceForgotten",
    "DeviceRemembered",
    "Enrolled",
    "EnrolmentNeeded",
    "FactorAdded",
    "FactorConfirmed",
    "FactorNeeded",
    "FactorNotFound",
    "FactorPolicy",
    "FactorRemoved",
    "FactorReset",
    "FactorResetAsked",
    "FactorResetCancelled",
    "FactorResetOff",
    "FactorResets",
    "FactorStep",
    "Factors",
    "FactorsOff",
    "FactorsReset",
    "FactorsResetByAdministrator",
    "Mfa",
    "MfaOptions",
    "NewTotp",
    "NoFactor",
    "OtherFactors",
    "RecoveryCode",
    "RecoveryCodeRefused",
    "RecoveryCodeUsed",
    "RecoveryCodesMade",
    "RememberedDevice",
    "RememberedDevices",
    "TotpDelayed",
    "TotpEnrolment",
    "TotpFactor",
    "TotpGuesses",
    "TotpRefused",
    "due_resets",
    "factor_jobs",
    "judge_factors",
    "qr_svg",
]
