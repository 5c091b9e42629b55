"""What follows the end of a transaction that somebody else commits."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import await_
from sqlalchemy.util.concurrency import in_greenlet

__all__ = ["when_ended"]

Act = Callable[[], asyncio.Future[None]]

_SEQUELS = "gatepost.sequels"
_AWAITED = "gatepost.awaited"


class _Sequel(NamedTuple):
    within: SessionTransaction | None
    committed: Act
    in_doubt: Act


def when_ended(session: AsyncSession, committed: Act, in_doubt: Act) -> None:
    """Run `committed` when the host commits, and let its commit return when that is done.

    Run `in_doubt`, for which nobody waits, if the transaction ends otherwise: the commit may have failed after it was
    done. Run neither after a rollback to a savepoint.
    """
    host = session.sync_session
    transaction = host.get_nested_transaction() or host.get_transaction()
    if transaction is None:
        return
    if _SEQUELS not in host.info:
        # One pair for as long as the session lives: a listener cannot be removed while it is called.
        host.info[_SEQUELS], host.info[_AWAITED] = [], []
        event.listen(host, "after_commit", _on_commit)
        event.listen(host, "after_transaction_end", _on_end)
    host.info[_SEQUELS].append(_Sequel(transaction, committed, in_doubt))


def _on_commit(host: Session) -> None:
    released = host.get_nested_transaction()
    sequels: list[_Sequel] = host.info[_SEQUELS]
    if released is not None:
        # What a savepoint did belongs to what encloses it from now on.
        host.info[_SEQUELS] = [
            each._replace(within=released.parent) if each.within is released else each for each in sequels
        ]
        return
    host.info[_SEQUELS] = []
    host.info[_AWAITED] = [each.committed() for each in sequels]


def _on_end(host: Session, ended: SessionTransaction) -> None:
    # After a commit nothing is left here: so it was rolled back, or the session was just closed.
    left: list[_Sequel] = [each for each in host.info[_SEQUELS] if each.within is ended]
    host.info[_SEQUELS] = [each for each in host.info[_SEQUELS] if each.within is not ended]
    if ended.nested:
        return
    for each in left:
        each.in_doubt()
    # Only now: the connection has been given back, and need not wait with us.
    awaited, host.info[_AWAITED] = host.info[_AWAITED], []
    if awaited and in_greenlet():
        await_(asyncio.shield(asyncio.gather(*awaited)))
