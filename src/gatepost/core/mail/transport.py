"""What carries mail out of the house."""

from typing import Protocol

from gatepost.core.mail.message import Mail

__all__ = ["Transport"]


class Transport(Protocol):
    """Hands mail over to whoever delivers it. Used by several tasks at once."""

    async def send(self, mail: Mail) -> None:
        """Return when somebody else has taken the responsibility for the mail. Raises MailDeferred, MailRefused."""
        ...

    async def close(self) -> None:
        """Give back what it holds open. It may be used again afterwards."""
        ...
