"""Mail: one message, and what carries it out of the house."""

from gatepost.core.mail.console import ConsoleTransport
from gatepost.core.mail.directory import DirectoryTransport
from gatepost.core.mail.errors import MailDeferred, MailRefused
from gatepost.core.mail.gate import MailGate
from gatepost.core.mail.memory import MemoryTransport
from gatepost.core.mail.message import Mail
from gatepost.core.mail.options import MailOptions, MailServer, parse_mail_url, sender_address
from gatepost.core.mail.smtp import SmtpTransport
from gatepost.core.mail.transport import NoTransport, Transport, transport_for

__all__ = [
    "ConsoleTransport",
    "DirectoryTransport",
    "Mail",
    "MailDeferred",
    "MailGate",
    "MailOptions",
    "MailRefused",
    "MailServer",
    "MemoryTransport",
    "NoTransport",
    "SmtpTransport",
    "Transport",
    "parse_mail_url",
    "sender_address",
    "transport_for",
]
