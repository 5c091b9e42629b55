"""One refusal for all that was shown and is not right, and its trace."""

from uuid import UUID

from gatepost.core.work import Work
from gatepost.login.errors import InvalidCredentials
from gatepost.login.events import FailureReason, LoginFailed
from gatepost.login.methods import Method

__all__ = ["refused"]


def refused(work: Work, method: Method, user_id: UUID | None, reason: FailureReason) -> InvalidCredentials:
    """Record that somebody was not let in, and return what is raised: the same, whatever the reason."""
    work.events.record(LoginFailed(subject=user_id, method=method.name, reason=reason))
    return InvalidCredentials()
