"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562, section 5.7)."""

import os
import threading
import time
from uuid import UUID

__all__ = ["new_id"]

_COUNTER_BITS = 12
_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """Return a UUIDv7, greater than every one this process made before (RFC 9562, section 6.2, method 3).

    The sub-millisecond part takes the place of `rand_a`, so ids made in one millisecond keep their order.
    """
    global _last  # noqa: PLW0603  the order of ids is a property of the process
    nanoseconds = time.time_ns()
    millis, rest = divmod(nanoseconds, 1_000_000)
    stamp = (millis << _COUNTER_BITS) | (rest * (1 << _COUNTER_BITS) // 1_000_000)
    with _lock:
        stamp = max(stamp, _last + 1)
        _last = stamp
    millis, counter = divmod(stamp, 1 << _COUNTER_BITS)
    tail = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=(millis << 80) | (7 << 76) | (counter << 64) | (2 << 62) | tail)
