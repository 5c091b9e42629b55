"""What a consumer says when it could not do its work, and knows why."""

__all__ = ["Deferred", "Undeliverable"]


class Deferred(Exception):
    """Not now: to be tried again. `code`: what the other side answered, None if it said nothing.

    The message is for the log: no word of the other side's, which may quote what it was sent.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class Undeliverable(Exception):
    """Never: not to be tried again, unless somebody says so. `code` and message as above."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
