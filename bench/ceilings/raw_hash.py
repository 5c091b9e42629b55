"""One Argon2id verification after the other on one thread: prints the median CPU ms of one."""

import sys
import time
from statistics import median

from argon2 import PasswordHasher, Type

from bench.plan import ARGON2_ITERATIONS, ARGON2_LANES, ARGON2_MEMORY_KIB, PASSWORD

_WARM_UP = 3
"""The first hashes fetch their memory from the kernel; later ones find it in the allocator."""


def cpu_ms(seconds: float) -> float:
    """Return the median CPU time of one verification in ms, over so many seconds."""
    hasher = PasswordHasher(
        time_cost=ARGON2_ITERATIONS, memory_cost=ARGON2_MEMORY_KIB, parallelism=ARGON2_LANES, type=Type.ID
    )
    stored = hasher.hash(PASSWORD)
    for _ in range(_WARM_UP):
        hasher.verify(stored, PASSWORD)
    found: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or not found:
        began = time.thread_time()
        hasher.verify(stored, PASSWORD)
        found.append((time.thread_time() - began) * 1000)
    return median(found)


if __name__ == "__main__":
    print(cpu_ms(float(sys.argv[1])))
