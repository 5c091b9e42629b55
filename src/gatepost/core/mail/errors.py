"""What becomes of a mail that was not accepted. `code` is the server's answer (RFC 5321, section 4.2)."""

from gatepost.core.outbox import Deferred, Undeliverable

__all__ = ["MailDeferred", "MailRefused"]


class MailDeferred(Deferred):
    """Not now: a full mailbox, greylisting, a server that is away. To be tried again."""


class MailRefused(Undeliverable):
    """Never: this recipient or this content is refused for good. Not to be tried again."""
