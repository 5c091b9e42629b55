"""What time does to second factors: what was not confirmed goes, and what nobody objected to comes."""

from collections.abc import Callable

from gatepost.core.schedule import Job, delete_past
from gatepost.core.work import Run, Work
from gatepost.mfa.models import RememberedDevice, TotpFactor
from gatepost.mfa.resets import FactorResets

__all__ = ["due_resets", "past_devices", "past_enrolments"]

_BATCH = 100


def past_enrolments() -> Job:
    """Return the job that deletes apps that nobody confirmed."""
    return delete_past("totp-factors.unconfirmed", TotpFactor.id, TotpFactor.expires_at)


def past_devices() -> Job:
    """Return the job that deletes devices whose time is up."""
    return delete_past("remembered-devices.expired", RememberedDevice.id, RememberedDevice.expires_at)


def due_resets(run: Run, resets: Callable[[Work], FactorResets]) -> Job:
    """Return the job that removes the factors of people, each in a unit of its own: what it records is told."""

    async def carry_out(_transaction: object, _now: object) -> int:
        for done in range(_BATCH):
            if not await run(lambda work: resets(work).carry_out_next()):
                return done
        return _BATCH

    return Job("factor-resets.due", carry_out, batch=_BATCH, effect="carried out")
