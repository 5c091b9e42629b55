"""Password hashing that cannot freeze the service: few threads, a bounded queue, a deadline.

Argon2id (RFC 9106) makes new hashes; bcrypt hashes that came from elsewhere are verified only.
"""

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import Any

import bcrypt
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field

from gatepost.core.errors import Unavailable
from gatepost.core.turns import QueueFull, Turns

__all__ = ["Hashing", "HashingBusy", "HashingOptions", "Priority"]

_BCRYPT_BYTES = 72
_BCRYPT_MOST_ROUNDS = 15


def processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Return how many hashes one process computes at once: one processor is left to everything else.

    A hash on every processor would make whoever only shows a token wait for the scheduler.
    """
    return max(1, processors() - 1)


class HashingOptions(BaseModel):
    """Cost of a hash, and how many may run and wait."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_kib: int = Field(19_456, ge=8, le=1_048_576, description="Argon2id memory of one hash, in KiB.")
    iterations: int = Field(2, ge=1, le=10, description="Argon2id passes over the memory.")
    lanes: int = Field(1, ge=1, le=16, description="Argon2id lanes.")
    threads: int = Field(
        default_factory=threads,
        ge=1,
        description="Hashes computed at once by one process.",
    )
    queue: int = Field(200, ge=1, description="Hashes that may wait; beyond it the answer is 503 at once.")
    deadline: float = Field(10.0, gt=0, description="Longest wait for a turn, in seconds; then 503.")


class HashingBusy(Unavailable):
    """More passwords are waiting to be checked than can be checked in time."""

    code = "hashing-busy"
    sentence = "Too many sign-ins at once. Try again shortly."


class Priority(IntEnum):
    """Whose turn comes first: people waiting to get in before those who set a password."""

    VERIFY = 0
    CREATE = 1


class Hashing:
    """Makes and checks password hashes, off the event loop."""

    def __init__(self, options: HashingOptions | None = None) -> None:
        self.options = options or HashingOptions()
        self._argon2 = PasswordHasher(
            time_cost=self.options.iterations,
            memory_cost=self.options.memory_kib,
            parallelism=self.options.lanes,
            type=Type.ID,
        )
        self._decoy: str | None = None
        self._pool = self._new_pool()
        self._turns = Turns(self.options.threads, self.options.queue, self.options.deadline)
        # In this process, since it began: how many hashes, how many refused, how long all waited, in seconds.
        self.computed = 0
        self.refused = 0
        self.waited = 0.0

    async def hash(self, password: str, source: str | None = None) -> str:
        """Return an Argon2id hash in PHC format. `source`: who asks, for fairness. Raises HashingBusy."""
        return await self._run(Priority.CREATE, source, lambda: self._argon2.hash(password.encode()))

    async def verify(self, password: str, hashed: str | None, source: str | None = None) -> bool:
        """Tell whether the password made the hash. No hash: compute one anyway and say no. Raises HashingBusy."""
        return await self._run(Priority.VERIFY, source, lambda: self._verify(password.encode(), hashed))

    def expect(self, source: str | None = None) -> None:
        """Return if a password could be verified in time. Raises HashingBusy, before anything was looked up."""
        try:
            self._turns.expect(Priority.VERIFY, source or "")
        except QueueFull as full:
            raise self._busy(full) from None

    def outdated(self, hashed: str) -> bool:
        """Tell whether a hash should be made anew: another scheme, or other parameters than ours."""
        try:
            return not hashed.startswith("$argon2id$") or self._argon2.check_needs_rehash(hashed)
        except InvalidHashError:
            return True

    @property
    def queued(self) -> int:
        """How many hashes wait for a thread."""
        return self._turns.waiting

    def close(self) -> None:
        """Stop the threads once they are done; the next hash starts new ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def warm(self) -> None:
        """Compute the decoy for unknown accounts now, so that the first stranger does not wait longer."""
        if self._decoy is None:
            self._decoy = self._argon2.hash(os.urandom(16))

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.options.threads, "gatepost-hash", initializer=_lower_priority)

    def _verify(self, password: bytes, hashed: str | None) -> bool:
        if hashed is None:
            self.warm()
            self._matches(password, self._decoy or "")
            return False
        if hashed.startswith("$2"):
            return _verify_bcrypt(password, hashed)
        return self._matches(password, hashed)

    def _matches(self, password: bytes, hashed: str) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run[T](self, priority: Priority, source: str | None, act: Callable[[], T]) -> T:
        asked = time.monotonic()
        try:
            async with self._turns.taken(priority, source or ""):
                self.waited += time.monotonic() - asked
                self.computed += 1
                return await asyncio.get_running_loop().run_in_executor(self._pool, act)
        except QueueFull as full:
            raise self._busy(full) from None

    def _busy(self, full: QueueFull) -> HashingBusy:
        # No cause is named: to refuse is no fault, and a traceback for each would cost more than the refusal.
        self.refused += 1
        return HashingBusy(retry_after=max(1, math.ceil(full.seconds)))


def _verify_bcrypt(password: bytes, hashed: str) -> bool:
    """Verify as the systems that made such hashes did: on the first 72 bytes, for a sane cost only."""
    try:
        rounds = int(hashed.split("$")[2])
        if rounds > _BCRYPT_MOST_ROUNDS:
            return False
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed.encode())
    except (ValueError, IndexError):
        return False


def _lower_priority() -> None:
    # On Linux a nice value belongs to a thread: the event loop gets the processor first.
    if sys.platform == "linux":
        act: Any = os.setpriority
        act(os.PRIO_PROCESS, threading.get_native_id(), 10)
