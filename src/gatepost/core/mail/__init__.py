"""Mail: one message, and what carries it out of the house."""

from gatepost.core.mail.errors import MailDeferred, MailRefused
from gatepost.core.mail.message import Mail
from gatepost.core.mail.transport import Transport

__all__ = ["Mail", "MailDeferred", "MailRefused", "Transport"]
