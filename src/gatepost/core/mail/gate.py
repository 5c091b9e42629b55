"""How much mail goes out: in all, and of one kind to one person."""

import asyncio
from collections.abc import Callable, Collection

from gatepost.core.limits import Limits
from gatepost.core.outbox import Claim

__all__ = ["MailGate"]


class MailGate:
    """Drops what would flood an inbox, or many from one place, and paces the rest.

    `by_anybody` are the types of events that anybody can bring about for anybody's address. `network` says which
    addresses stand for one client, and as what they count.
    """

    def __init__(
        self, limits: Limits, by_anybody: Collection[str], network: Callable[[str], str | None]
    ) -> None:
        self._limits = limits
        self._by_anybody = frozenset(by_anybody)
        self._network = network

    async def admits(self, claim: Claim) -> bool:
        """Tell whether its recipient may have one more of this kind.

        By kind, so that a stranger who asks for a hundred links does not use up what tells of a changed password. Nor
        is that counted by where it was done: it would be the thief's own address.
        """
        asked_from = claim.asked_from if claim.type in self._by_anybody else None
        origin = self._network(asked_from) if asked_from else None
        return await self._limits.mail(f"{claim.source.hex()} {claim.type}", origin)

    async def turn(self) -> None:
        """Return when the next mail may go out."""
        while True:
            wait = await self._limits.seconds_to_next_mail()
            if not wait:
                return
            await asyncio.sleep(wait)
