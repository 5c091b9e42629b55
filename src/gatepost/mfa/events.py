"""What happens to second factors."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from gatepost.core.events import Event

__all__ = [
    "DeviceForgotten",
    "DeviceRemembered",
    "FactorAdded",
    "FactorRemoved",
    "FactorResetAsked",
    "FactorResetCancelled",
    "FactorsReset",
    "FactorsResetByAdministrator",
    "RecoveryCodeRefused",
    "RecoveryCodeUsed",
    "RecoveryCodesMade",
    "TotpRefused",
]


@dataclass(frozen=True, kw_only=True)
class FactorAdded(Event):
    """A person has one more second factor; `factor` is its kind."""

    type: ClassVar[str] = "factor.added"
    changes_caller: ClassVar[bool] = True
    factor: str
    factor_id: UUID


@dataclass(frozen=True, kw_only=True)
class FactorRemoved(Event):
    """A second factor was removed: by its owner, or since others may have set it."""

    type: ClassVar[str] = "factor.removed"
    changes_caller: ClassVar[bool] = True
    factor: str
    factor_id: UUID


@dataclass(frozen=True, kw_only=True)
class FactorsReset(Event):
    """All second factors of a person were removed, as was asked for a while ago and nobody objected."""

    type: ClassVar[str] = "factors.reset"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class FactorsResetByAdministrator(Event):
    """All second factors of a person were removed by an administrator, or by the operator if there is no actor."""

    type: ClassVar[str] = "factors.reset_by_administrator"
    changes_caller: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class FactorResetAsked(Event):
    """Somebody who showed the first factor has lost the second: all are removed after `until`."""

    type: ClassVar[str] = "factor_reset.asked"
    until: str


@dataclass(frozen=True, kw_only=True)
class FactorResetCancelled(Event):
    """The factors stay; `by` says why: `link`, `person`, `sign-in` or `credentials`."""

    type: ClassVar[str] = "factor_reset.cancelled"
    by: str


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesMade(Event):
    """A person got new recovery codes, and those of before are dead. `with_factor`: along with their first factor."""

    type: ClassVar[str] = "recovery_codes.made"
    factor: str = "recovery_codes"
    with_factor: bool


@dataclass(frozen=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """A recovery code took the place of a second factor; so many are left."""

    type: ClassVar[str] = "recovery_code.used"
    left: int


@dataclass(frozen=True, kw_only=True)
class RecoveryCodeRefused(Event):
    """Somebody who showed the first factor entered what is no recovery code, or one that was used."""

    type: ClassVar[str] = "recovery_code.refused"


@dataclass(frozen=True, kw_only=True)
class TotpRefused(Event):
    """Somebody who showed the first factor entered a wrong or used code; so many in vain by now."""

    type: ClassVar[str] = "totp.refused"
    failures: int


@dataclass(frozen=True, kw_only=True)
class DeviceRemembered(Event):
    """A person is not asked for a second factor on a device for a while."""

    type: ClassVar[str] = "device.remembered"
    device_id: UUID


@dataclass(frozen=True, kw_only=True)
class DeviceForgotten(Event):
    """So many of a person's remembered devices are strangers again."""

    type: ClassVar[str] = "device.forgotten"
    devices: int
