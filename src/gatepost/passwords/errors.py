"""What can go wrong with a password."""

from typing import Literal

from gatepost.core.errors import Invalid

__all__ = ["PasswordRefused", "Weakness"]


Weakness = Literal["too-short", "common", "repeats", "built-from-you"]


class PasswordRefused(Invalid):
    """The new password is too easy to guess. `weakness` says why, for those who say it in other words."""

    code = "password-refused"
    sentence = "Choose another password."

    def __init__(self, detail: str, weakness: Weakness) -> None:
        super().__init__(detail, field="password")
        self.weakness = weakness
