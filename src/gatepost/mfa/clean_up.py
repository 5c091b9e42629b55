"""What time does to second factors: what was not confirmed goes, and what nobody objected to comes."""

from collections.abc import Callable

from gatepost.core.schedule import Job, delete_past
from gatepost.core.work import Run, Work
from gatepost.mfa.models import RememberedDevice, TotpFactor
from gatepost.mfa.resets import FactorResets

__all__ = ["due_resets", "factor_jobs"]

_BATCH = 100


def factor_jobs(run: Run, resets: Callable[[Work], FactorResets]) -> list[Job]:
    """Return all that recurs here: what nobody confirmed, devices whose time is up, and resets that are due."""
    return [
        delete_past("totp-factors.unconfirmed", TotpFactor.id, TotpFactor.expires_at),
        delete_past("remembered-devices.expired", RememberedDevice.id, RememberedDevice.expires_at),
        due_resets(run, resets),
    ]


def due_resets(run: Run, resets: Callable[[Work], FactorResets]) -> Job:
    """Return the job that removes the factors of people, each in a unit of its own: what it records is told."""

    async def carry_out(_transaction: object, _now: object) -> int:
        for done in range(_BATCH):
            if not await run(lambda work: resets(work).carry_out_next()):
                return done
        return _BATCH

    return Job("factor-resets.due", carry_out, batch=_BATCH, effect="carried out")
