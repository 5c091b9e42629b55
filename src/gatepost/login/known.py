"""Where a person has been let in lately: strangers' failures do not delay them there."""

from collections.abc import Callable
from datetime import timedelta

from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.sessions import SessionOptions, recorded_address

__all__ = ["KnownNetworks"]


class KnownNetworks:
    """Reads the sessions. `network` is what counts as one client with an address."""

    def __init__(
        self,
        work: Work,
        network: Callable[[str], str | None],
        known_for: timedelta,
        sessions: SessionOptions,
    ) -> None:
        self._work = work
        self._network = network
        self._known_for = known_for
        self._sessions = sessions

    async def is_here(self, email_canonical: str) -> bool:
        """Tell whether the owner of this e-mail address signed in lately from where this request comes from."""
        client = self._work.client
        wanted = {"email_canonical": email_canonical, "since": self._work.now - self._known_for}
        rows = await self._work.read.rows(queries.RECENT_ADDRESSES, wanted)
        recorded = recorded_address(client.address, self._sessions.address_detail)
        return any(row.address == recorded or self._network(row.address) == client.network for row in rows)
