"""What a proof may be good for."""

from enum import StrEnum

__all__ = ["Purpose"]


class Purpose(StrEnum):
    """What somebody is to show that they read an address for. A proof for one is none for another."""

    VERIFY_EMAIL = "verify_email"
    CONFIRM_EMAIL = "confirm_email"
    UNDO_EMAIL = "undo_email"
    KEEP_ACCOUNT = "keep_account"
    SIGN_IN_LINK = "sign_in_link"
    RESET_PASSWORD = "reset_password"  # noqa: S105  no password

    @property
    def page(self) -> str:
        """The page that a link of this purpose leads to, below the public URL."""
        return self.value.replace("_", "-")
