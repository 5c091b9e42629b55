"""What can go wrong, in families that say how to answer without knowing HTTP."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

__all__ = [
    "Conflict",
    "DomainError",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Stopped",
    "TooMany",
    "TransactionConflict",
    "Unauthenticated",
    "Unavailable",
]


class DomainError(Exception):
    """A refusal with a stable `code` and a sentence for people.

    `field` names the input that caused it, `extensions` are further members of the
    problem document (RFC 9457, section 3.2). With `keep_changes` the unit of work
    commits before the error is answered: counters, traces and revocations must stay.
    """

    code: ClassVar[str] = "error"
    sentence: ClassVar[str] = "The request was refused."
    keep_changes: ClassVar[bool] = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        field: str | None = None,
        retry_after: int | None = None,
        **extensions: Any,
    ) -> None:
        self.detail = detail or self.sentence
        self.field = field
        self.retry_after = retry_after
        self.extensions = extensions
        super().__init__(self.detail)


class Invalid(DomainError):
    """The input does not make sense."""

    code = "invalid"
    sentence = "The request is not valid."


class Unauthenticated(DomainError):
    """Nobody, or nobody we know, is calling. `challenge` adds parameters to `WWW-Authenticate` (RFC 6750, 9449)."""

    code = "unauthenticated"
    sentence = "Authentication is required."
    challenge: Mapping[str, str] = MappingProxyType({})
    scheme: ClassVar[str] = "Bearer"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"
    sentence = "You are not allowed to do this."


class NotFound(DomainError):
    """It does not exist, or not for this caller."""

    code = "not-found"
    sentence = "There is no such resource."


class Conflict(DomainError):
    """It contradicts what is already there."""

    code = "conflict"
    sentence = "The request contradicts the current state."


class TooMany(DomainError):
    """The caller has to slow down; `retry_after` says for how many seconds."""

    code = "too-many"
    sentence = "Rate limit exceeded"


class Unavailable(DomainError):
    """We cannot do it now; `retry_after` says when to try again, in seconds."""

    code = "unavailable"
    sentence = "The service is busy. Try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **extensions: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extensions)


class TransactionConflict(Exception):
    """The database undid the transaction for another's sake (SQLSTATE 40001, 40P01): run the unit again.

    Not a DomainError on purpose: no error handler may answer it before the unit was retried.
    """


class Stopped(Exception):
    """The program cannot start or go on; the message is one line that says why and what mends it."""
