"""Deleting challenges that nobody can answer any more."""

from datetime import timedelta

from gatepost.core.schedule import Job, delete_past
from gatepost.passkeys.models import PasskeyChallenge

__all__ = ["past_passkey_challenges"]

# Until then an answer that comes too late, or a second time, is told from one to a challenge that never was.
_KEPT = timedelta(hours=1)


def past_passkey_challenges() -> Job:
    """Return the job that deletes challenges whose time is up."""
    return delete_past(
        "passkey-challenges.expired", PasskeyChallenge.id, PasskeyChallenge.expires_at, keep=_KEPT
    )
