"""What becomes of a mail that was not accepted."""

__all__ = ["MailDeferred", "MailRefused"]


class MailDeferred(Exception):
    """Not now: a full mailbox, greylisting, a server that is away. To be tried again.

    `code`: what the server answered (RFC 5321, section 4.2), None if it said nothing. The message holds neither the
    recipient nor the server's words, which may quote them.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class MailRefused(Exception):
    """Never: this recipient or this content is refused for good. Not to be tried again. `code` as above."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
