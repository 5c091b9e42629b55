"""Somebody who has taken a first step shows a code of their app, or a recovery code."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.methods import Method
from gatepost.login.provers.prover import Context
from gatepost.login.provers.used import UsedUp
from gatepost.login.refusals import refused
from gatepost.login.schemas import CodeStep
from gatepost.mfa import CodeWrong
from gatepost.users import Standing

__all__ = ["CodeProver"]

TakeCode = Callable[[UUID, str], Awaitable[object]]
"""Takes a code of a person, once. Raises CodeWrong."""


class CodeProver:
    """Checks codes that say nothing of whose they are: the steps before do."""

    def __init__(self, work: Work, method: Method, take: TakeCode) -> None:
        self._work = work
        self._method = method
        self._take = take

    async def check(self, given: CodeStep, context: Context) -> UsedUp:
        """Take a code. A wrong one is counted. Raises InvalidCredentials, TotpDelayed."""
        whose = context.person
        if whose is None:
            raise refused(self._work, self._method, None, "wrong_proof")
        try:
            await self._take(whose, given.code)
        except CodeWrong:
            raise refused(self._work, self._method, whose, "wrong_proof") from None
        # As they are now that the row is locked.
        row = await self._work.read.first(queries.STANDING_OF, {"user_id": whose})
        if row is None:
            raise refused(self._work, self._method, whose, "unknown_account")
        return UsedUp(self._method, Standing.of(row))
