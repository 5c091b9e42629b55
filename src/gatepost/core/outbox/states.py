"""What can become of a delivery."""

__all__ = ["DONE", "DROPPED", "DUE", "EXPIRED", "FAILED", "STATES"]

DUE = "due"
"""To be run when its time comes; while a worker has it, its time is the end of the lease."""

DONE = "done"

FAILED = "failed"
"""Given up, and kept whole: it can be tried again by command."""

EXPIRED = "expired"
"""Its end came first, so it was not run."""

DROPPED = "dropped"
"""Not run because there were too many of its kind for whom it was."""

STATES = (DUE, DONE, FAILED, EXPIRED, DROPPED)
