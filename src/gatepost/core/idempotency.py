"""Answers kept under the key that a client sent with a creating call, so that a retry has no second effect."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.errors import Conflict, Invalid
from gatepost.core.ids import new_id
from gatepost.core.models import Base, Digest, SealedBytes
from gatepost.core.schedule import Job, delete_past
from gatepost.core.sealed import SealedColumn
from gatepost.core.secrets import KeyRing, Unsealable
from gatepost.core.work import Work

__all__ = [
    "LEASE",
    "SEALED",
    "Answer",
    "Claim",
    "Idempotency",
    "IdempotencyKey",
    "KeyInFlight",
    "KeyReused",
    "erase_answers",
    "expired_answers",
]

LEASE = timedelta(seconds=60)


class KeyReused(Invalid):
    """The Idempotency-Key came before with another request."""

    code = "idempotency-key-reused"
    sentence = "This Idempotency-Key was used for another request. Send a new one."

    def __init__(self) -> None:
        super().__init__(field="header.idempotency-key")


class KeyInFlight(Conflict):
    """The first request with this Idempotency-Key has not been answered yet."""

    code = "idempotency-key-in-flight"
    sentence = "The first request with this Idempotency-Key is still being answered. Try again shortly."

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class IdempotencyKey(Base):
    """A key that was used: held by a request until its lease ends, or answered and kept for its lifetime.

    `digest` stands for caller, route and key, `asked` for the request's content, `subject` is the person whose
    data the answer holds. No `answer`: still in flight.
    """

    __tablename__ = "idempotency_keys"

    digest: Mapped[bytes] = mapped_column(Digest, primary_key=True)
    asked: Mapped[bytes] = mapped_column(SealedBytes)
    holder: Mapped[UUID]
    subject: Mapped[UUID | None] = mapped_column(index=True)
    answer: Mapped[bytes | None] = mapped_column(SealedBytes)
    expires_at: Mapped[datetime] = mapped_column(index=True)


_COLUMNS = (IdempotencyKey.asked, IdempotencyKey.answer, IdempotencyKey.expires_at)
_STANDING = select(*_COLUMNS).where(IdempotencyKey.digest == bindparam("wanted"))
_ERASE = delete(IdempotencyKey).where(IdempotencyKey.subject == bindparam("erased"))


def _purpose(digest: bytes) -> str:
    return f"idempotency {digest.hex()}"


SEALED = tuple(
    SealedColumn(column, IdempotencyKey.digest, _purpose)
    for column in (IdempotencyKey.asked, IdempotencyKey.answer)
)
"""What is kept of requests and their answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One use of a key: where it counts, and what was asked with it."""

    digest: bytes
    content: bytes

    @staticmethod
    def of(caller: UUID | None, route: str, key: str, content: bytes) -> "Asked":
        """Return the use of `key` by a caller (None: nobody known) at a route, with a request's content."""
        scope = "\n".join((str(caller or ""), route, key))
        return Asked(hashlib.sha256(scope.encode()).digest(), hashlib.sha256(content).digest())

    @property
    def purpose(self) -> str:
        """What values of this row are sealed for."""
        return _purpose(self.digest)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to have the effect: nobody else has it until the lease ends."""

    asked: Asked
    holder: UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was, or will be, sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Idempotency:
    """Decides which request with a key has the effect, and keeps its answer for the others."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock, lifetime: timedelta) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._lifetime = lifetime

    async def claim(self, asked: Asked) -> Claim | Answer:
        """Return the answer that was given before, or else the right to give it, committed at once.

        Raises KeyReused, KeyInFlight.
        """
        standing: Any = await self._database.reads.first(_STANDING, {"wanted": asked.digest})
        if standing is None or standing.expires_at <= self._clock.now():
            return await self._take(asked, is_new=standing is None)
        if not hmac.compare_digest(self._open(standing.asked, asked), asked.content):
            raise KeyReused
        if standing.answer is None:
            raise KeyInFlight
        return _unpacked(self._open(standing.answer, asked))

    async def _take(self, asked: Asked, *, is_new: bool) -> Claim:
        now, claim = self._clock.now(), Claim(asked, new_id())
        row = {
            "asked": self._ring.seal(asked.content, asked.purpose),
            "holder": claim.holder,
            "subject": None,
            "answer": None,
            "expires_at": now + LEASE,
        }
        lapsed = (IdempotencyKey.digest == asked.digest, IdempotencyKey.expires_at <= now)
        take = (
            insert(IdempotencyKey).values(digest=asked.digest, **row)
            if is_new
            else update(IdempotencyKey).where(*lapsed).values(**row)
        )
        try:
            async with self._database.write() as transaction:
                taken: Any = await transaction.execute(take.execution_options(synchronize_session=False))
        except IntegrityError as error:
            raise KeyInFlight from error
        except BaseException:
            # Who is cut off while it is committed cannot know whether the key is theirs.
            await asyncio.shield(self.release(claim))
            raise
        if taken.rowcount == 0:
            raise KeyInFlight
        return claim

    async def complete(self, work: Work, claim: Claim, answer: Answer, subject: UUID | None) -> None:
        """Keep the answer, in the transaction of the effect. Raises KeyInFlight if the claim is another's by now."""
        statement = (
            update(IdempotencyKey)
            .where(IdempotencyKey.digest == claim.asked.digest, IdempotencyKey.holder == claim.holder)
            .values(
                answer=self._ring.seal(_packed(answer), claim.asked.purpose),
                subject=subject,
                expires_at=self._clock.now() + self._lifetime,
            )
        )
        completed: Any = await work.execute(statement.execution_options(synchronize_session=False))
        if completed.rowcount == 0:
            raise KeyInFlight

    async def release(self, claim: Claim) -> None:
        """Give the key back, unless it is answered. What cannot be given back waits for the end of its lease."""
        held = delete(IdempotencyKey).where(
            IdempotencyKey.digest == claim.asked.digest,
            IdempotencyKey.holder == claim.holder,
            IdempotencyKey.answer.is_(None),
        )
        with suppress(Exception):
            async with self._database.write() as transaction:
                await transaction.execute(held.execution_options(synchronize_session=False))

    def _open(self, sealed: bytes, asked: Asked) -> bytes:
        """Return what was sealed. Raises KeyReused if its secret key is gone: no second effect on a guess."""
        try:
            return self._ring.open(sealed, asked.purpose)
        except Unsealable as error:
            raise KeyReused from error


async def erase_answers(work: Work, subject: UUID) -> None:
    """Delete the kept answers that hold a person's data."""
    await work.execute(_ERASE, {"erased": subject})


def expired_answers() -> Job:
    """Return the job that deletes keys whose time is up."""
    return delete_past("idempotency-keys.expired", IdempotencyKey.digest, IdempotencyKey.expires_at)


def _packed(answer: Answer) -> bytes:
    head = {"status": answer.status, "headers": dict(answer.headers)}
    return json.dumps(head).encode() + b"\n" + answer.body


def _unpacked(packed: bytes) -> Answer:
    head, _, body = packed.partition(b"\n")
    return Answer(**json.loads(head), body=body)
