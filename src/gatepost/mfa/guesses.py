"""How many wrong codes a person is forgiven: few, and ever fewer, for good."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, update

from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.errors import TotpDelayed
from gatepost.mfa.models import TotpGuesses

__all__ = ["FREE", "Guesses", "Tally", "wait_after"]

FREE = 5
_FIRST_WAIT = timedelta(seconds=30)
# Thirty-two years: what would be longer is no longer a duration.
_LONGEST_DOUBLINGS = 25
_FORGIVEN = 3


def wait_after(failures: int) -> timedelta:
    """Return how long after so many failures the next code must wait. It doubles and has no end.

    So in a time T nobody has more than `FREE` + log2(T / 30 s) guesses: 25 in a year.
    """
    if failures < FREE:
        return timedelta(0)
    return _FIRST_WAIT * 2 ** min(failures - FREE, _LONGEST_DOUBLINGS)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often in vain so far, and when last; None: never."""

    failures: int = 0
    failed_at: datetime | None = None

    def waits(self, now: datetime) -> timedelta:
        """Return how long the next code must still wait."""
        if self.failed_at is None or now < self.failed_at:
            # The clock was wrong then, or is now. Each try counts all the same, so that nothing is gained by it.
            return timedelta(0)
        return max(self.failed_at + wait_after(self.failures) - now, timedelta(0))


class Guesses:
    """Counts by person: whatever session, address, process or spelling a guess comes by. Whoever calls has the lock."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def admit(self, user_id: UUID) -> Tally:
        """Return what stands against a person. Raises TotpDelayed."""
        row = (await self._work.execute(queries.GUESSES, {"user_id": user_id})).first()
        tally = Tally(row.failures, row.failed_at) if row else Tally()
        waits = tally.waits(self._work.now)
        if waits:
            raise TotpDelayed(retry_after=-int(-waits.total_seconds() // 1))
        return tally

    async def failed(self, user_id: UUID, tally: Tally) -> int:
        """Count a wrong code; return how many there are now."""
        now = self._work.now
        if tally.failed_at is None:
            await self._work.execute(insert(TotpGuesses).values(user_id=user_id, failures=1, failed_at=now))
            return 1
        await self._put(user_id, failures=tally.failures + 1, failed_at=now)
        return tally.failures + 1

    async def succeeded(self, user_id: UUID, tally: Tally) -> None:
        """Forgive a person who mistypes now and then, and no more than that: somebody else may be guessing, too."""
        if tally.failures:
            await self._put(user_id, failures=max(tally.failures - _FORGIVEN, 0))

    async def forget(self, user_id: UUID) -> None:
        """Begin anew: the codes that were guessed at are gone."""
        await self._put(user_id, failures=0)

    async def _put(self, user_id: UUID, **values: object) -> None:
        await self._work.execute(update(TotpGuesses).where(TotpGuesses.user_id == user_id).values(**values))
