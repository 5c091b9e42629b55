"""Deleting sign-ins that were never finished, and those that were."""

from gatepost.core.schedule import Job, delete_past
from gatepost.login.models import LoginFlow

__all__ = ["past_flows"]


def past_flows() -> Job:
    """Return the job that deletes flows whose time is up."""
    return delete_past("login-flows.expired", LoginFlow.id, LoginFlow.expires_at)
