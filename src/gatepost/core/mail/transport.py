"""What carries mail out of the house, and which one a URL names."""

from email.headerregistry import Address
from typing import Protocol

from gatepost.core.clock import Clock
from gatepost.core.mail.console import ConsoleTransport
from gatepost.core.mail.directory import DirectoryTransport
from gatepost.core.mail.errors import MailRefused
from gatepost.core.mail.memory import MemoryTransport
from gatepost.core.mail.message import Mail
from gatepost.core.mail.options import MailOptions, parse_mail_url, sender_address
from gatepost.core.mail.smtp import SmtpTransport

__all__ = ["NoTransport", "Transport", "transport_for"]


class Transport(Protocol):
    """Hands mail over to whoever delivers it. Used by several tasks at once."""

    async def send(self, mail: Mail) -> None:
        """Return when somebody else has taken the responsibility for the mail. Raises MailDeferred, MailRefused."""
        ...

    async def close(self) -> None:
        """Give back what it holds open. It may be used again afterwards."""
        ...


class NoTransport:
    """Stands where none is set: what should be sent is given up, and can be sent by command once there is one."""

    async def send(self, mail: Mail) -> None:  # noqa: ARG002
        """Raise MailRefused."""
        raise MailRefused("GATEPOST_MAIL_URL is not set")

    async def close(self) -> None:
        """Hold nothing open."""


def transport_for(url: str, options: MailOptions, sender: str, clock: Clock) -> Transport:
    """Return the transport that a mail URL names. Raises ValueError for a URL that names none."""
    named = parse_mail_url(url)
    who = sender_address(sender)
    answers_to: Address | None = sender_address(options.reply_to) if options.reply_to else None
    if named.server is not None:
        return SmtpTransport(named.server, options, who, answers_to, clock)
    if named.directory is not None:
        return DirectoryTransport(named.directory, who, answers_to, clock)
    return ConsoleTransport() if named.kind == "console" else MemoryTransport()
