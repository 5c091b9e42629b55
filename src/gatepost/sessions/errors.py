"""What can go wrong with a session."""

from gatepost.core.errors import NotFound

__all__ = ["SessionNotFound"]


class SessionNotFound(NotFound):
    """There is no such session, it is somebody else's, or it has ended."""

    code = "session-not-found"
    sentence = "There is no such session."
