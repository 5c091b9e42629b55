"""Starting, showing and ending sessions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update

from gatepost.core.ids import new_id
from gatepost.core.principal import Carrier
from gatepost.core.secrets import BoundTokens, digest
from gatepost.core.work import Work
from gatepost.sessions import queries
from gatepost.sessions.devices import device, recorded_address
from gatepost.sessions.endings import Ended, over
from gatepost.sessions.errors import SessionNotFound
from gatepost.sessions.events import SessionEnded, SessionStarted
from gatepost.sessions.models import EndReason, Session
from gatepost.sessions.schemas import SessionOut
from gatepost.sessions.settings import SessionOptions
from gatepost.users import Standing

__all__ = ["Assurance", "Carriage", "Sessions", "StartedSession"]


@dataclass(frozen=True, slots=True)
class Assurance:
    """How somebody signed in (`amr`, RFC 8176), and how sure of the person that makes us (`acr`)."""

    amr: tuple[str, ...]
    acr: str


@dataclass(frozen=True, slots=True)
class Carriage:
    """How a session travels: with tokens, bound to a key perhaps, or in a cookie that outlives the browser or not."""

    carrier: Carrier
    key_thumbprint: str | None = None
    remember: bool = True


@dataclass(frozen=True, slots=True)
class StartedSession:
    """What a token needs to know of a session. `cookie` is the secret of one that a browser keeps."""

    id: UUID
    user_id: UUID
    client_id: str
    expires_at: datetime
    key_thumbprint: str | None = None
    cookie: str | None = field(default=None, repr=False)
    remember: bool = True


class Sessions:
    """Signed-in devices."""

    def __init__(self, work: Work, options: SessionOptions, cookies: BoundTokens) -> None:
        self._work = work
        self._options = options
        self._cookies = cookies

    async def start(
        self, standing: Standing, client_id: str, assurance: Assurance, carriage: Carriage
    ) -> StartedSession | None:
        """Start a session; None if the person is not active, or changed since the standing was read.

        Only `login` may: it has decided that the person is let in. The statement decides the rest, and locks
        the person's row, so that nobody is disabled or given a new password while we let them in.
        """
        now, user_id, session_id = self._work.now, standing.user_id, new_id()
        in_cookie = carriage.carrier == "cookie"
        started = StartedSession(
            id=session_id,
            user_id=user_id,
            client_id=client_id,
            expires_at=now + self._options.lifetime,
            key_thumbprint=carriage.key_thumbprint,
            cookie=self._cookies.make(session_id.bytes + user_id.bytes) if in_cookie else None,
            remember=carriage.remember,
        )
        row = self._row(started, assurance, now)
        condition = {"person": user_id, "seen": standing.version}
        inserted = (await self._work.execute(queries.INSERT_FOR_ADMITTED, row | condition)).first()
        if inserted is None:
            return None
        amr = [*assurance.amr]
        self._work.events.record(
            SessionStarted(
                subject=user_id,
                session_id=session_id,
                amr=amr,
                acr=assurance.acr,
                carrier=carriage.carrier,
                familiar=inserted.familiar,
            )
        )
        most = self._options.most_per_user
        await self._end(EndReason.TOO_MANY, Session.id.in_(queries.least_used(user_id, most, session_id)))
        return started

    def _row(self, started: StartedSession, assurance: Assurance, now: datetime) -> dict[str, Any]:
        client = self._work.client
        return {
            "id": started.id,
            "user_id": started.user_id,
            "client_id": started.client_id,
            "auth_time": now,
            "amr": [*assurance.amr],
            "acr": assurance.acr,
            "address": recorded_address(client.address, self._options.address_detail),
            "user_agent": (client.user_agent or "")[:256] or None,
            "created_at": now,
            "last_seen_at": now,
            "expires_at": started.expires_at,
            "cookie_digest": digest(started.cookie) if started.cookie else None,
            "key_thumbprint": started.key_thumbprint,
            "remember": started.remember,
            "ended_at": None,
            "end_reason": None,
            "end_event": None,
        }

    async def of(self, user_id: UUID, current: UUID | None = None) -> list[SessionOut]:
        """Return a person's live sessions, the one that was used last first."""
        wanted = {"user_id": user_id, **self._options.bounds(self._work.now)}
        rows = await self._work.read.rows(queries.LIVE_OF, wanted)
        return [self._shown(row, current) for row in rows]

    def _shown(self, row: Any, current: UUID | None) -> SessionOut:
        return SessionOut(
            id=row.id,
            current=row.id == current,
            device=device(row.user_agent),
            address=row.address,
            client_id=row.client_id,
            carrier="cookie" if row.cookie_digest else "bearer",
            amr=row.amr,
            acr=row.acr,
            auth_time=row.auth_time,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=self._options.ends_at(row),
        )

    async def ended(self, session_id: UUID) -> Ended | None:
        """Return, inside the transaction, why a session is over; None if it is live, or not known any more."""
        row = (await self._work.execute(queries.ENDED, {"session_id": session_id})).first()
        return over(row, self._options, self._work.now) if row else None

    async def revoke(self, user_id: UUID, session_id: UUID, reason: EndReason) -> None:
        """End one session of this person. Raises SessionNotFound."""
        await self._work.execute(queries.PERSON_LOCKED, {"person": user_id})
        if not await self._end(reason, Session.id == session_id, Session.user_id == user_id, *queries.LIVE):
            raise SessionNotFound

    async def end(self, session_id: UUID, reason: EndReason) -> UUID | None:
        """End one session; return whose it was, None if it had been ended before."""
        ended = await self._end(reason, Session.id == session_id)
        return ended[0].user_id if ended else None

    async def end_all(self, user_id: UUID, reason: EndReason, *, keep: UUID | None = None) -> int:
        """End all of a person's live sessions, except `keep`; return how many."""
        await self._work.execute(queries.PERSON_LOCKED, {"person": user_id})
        conditions = [Session.user_id == user_id, *queries.LIVE]
        if keep is not None:
            conditions.append(Session.id != keep)
        return len(await self._end(reason, *conditions))

    async def _end(self, reason: EndReason, *conditions: object) -> Sequence[Any]:
        statement = (
            update(Session)
            .where(Session.ended_at.is_(None), *conditions)  # ty: ignore[invalid-argument-type]
            .values(ended_at=self._work.now, end_reason=reason.value)
            .returning(Session.id, Session.user_id)
            .execution_options(synchronize_session=False)
        )
        bounds = self._options.bounds(self._work.now)
        ended = (await self._work.execute(statement, bounds)).all()
        for row in ended:
            event = SessionEnded(subject=row.user_id, session_id=row.id, reason=reason.value)
            told = update(Session).where(Session.id == row.id)
            await self._work.execute(told.values(end_event=self._work.events.record(event)))
        return ended
