"""How much mail goes out: in all, and of one kind to one person."""

import asyncio

from gatepost.core.limits import Limits
from gatepost.core.outbox import Claim

__all__ = ["MailGate"]


class MailGate:
    """Drops what would flood an inbox, and paces the rest."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def admits(self, claim: Claim) -> bool:
        """Tell whether its recipient may have one more of this kind.

        By kind, so that a stranger who asks for a hundred links does not use up what tells of a changed password.
        """
        return await self._limits.mail(f"{claim.source.hex()} {claim.type}")

    async def turn(self) -> None:
        """Return when the next mail may go out."""
        while True:
            wait = await self._limits.seconds_to_next_mail()
            if not wait:
                return
            await asyncio.sleep(wait)
