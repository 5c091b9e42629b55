"""Mail that goes nowhere, for tests."""

from collections import deque

from gatepost.core.mail.message import Mail

__all__ = ["MemoryTransport"]

MOST = 1_000


class MemoryTransport:
    """Keeps the last thousand mails in `sent`, the oldest first."""

    def __init__(self) -> None:
        self.sent: deque[Mail] = deque(maxlen=MOST)

    async def send(self, mail: Mail) -> None:
        """Keep it."""
        self.sent.append(mail)

    async def close(self) -> None:
        """Hold nothing open."""
