"""Deleting sessions that have long been over."""

from gatepost.core.schedule import Job, delete_past
from gatepost.sessions.models import Session
from gatepost.sessions.settings import SessionOptions

__all__ = ["past_sessions"]

# A session takes its refresh tokens along, of which there may be many.
_BATCH = 100


def past_sessions(options: SessionOptions) -> list[Job]:
    """Return the jobs that delete sessions once they have been over for the retention."""
    keep = options.retention
    return [
        delete_past("sessions.ended", Session.id, Session.ended_at, keep=keep, batch=_BATCH),
        delete_past("sessions.expired", Session.id, Session.expires_at, keep=keep, batch=_BATCH),
    ]
