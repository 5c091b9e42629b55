"""Erasing the accounts whose time is up."""

from collections.abc import Callable

from gatepost.accounts.deletion import Deletion
from gatepost.core.schedule import Job
from gatepost.core.work import Run, Work

__all__ = ["closed_accounts"]

_BATCH = 100


def closed_accounts(run: Run, deletion: Callable[[Work], Deletion]) -> Job:
    """Return the job that erases people, each in a unit of its own: what it records is told when that ends."""

    async def erase(_transaction: object, _now: object) -> int:
        for erased in range(_BATCH):
            if not await run(lambda work: deletion(work).erase_next()):
                return erased
        return _BATCH

    return Job("accounts.closed", erase, batch=_BATCH, effect="erased")
