"""What can go wrong with a password."""

from gatepost.core.errors import Invalid

__all__ = ["PasswordRefused"]


class PasswordRefused(Invalid):
    """The new password is too easy to guess."""

    code = "password-refused"
    sentence = "Choose another password."

    def __init__(self, detail: str) -> None:
        super().__init__(detail, field="password")
