"""What can go wrong with a person's record."""

from gatepost.core.errors import Conflict, NotFound

__all__ = ["EmailTaken", "StaleVersion", "UserNotFound"]


class EmailTaken(Conflict):
    """Another account has this address, in this or another spelling."""

    code = "email-taken"
    sentence = "Email already registered"

    def __init__(self) -> None:
        super().__init__(field="email")


class UserNotFound(NotFound):
    """There is no such person, or not for this caller."""

    code = "user-not-found"
    sentence = "There is no such user."


class StaleVersion(Conflict):
    """The record changed since the version that the caller saw (RFC 9110, section 13.1.1)."""

    code = "stale-version"
    sentence = "The user has changed since you read it. Read it again, then repeat the change."
