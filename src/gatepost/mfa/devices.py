"""Devices on which a person has shown a second factor, and is not asked for it again for a while."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update

from gatepost.core.ids import new_id
from gatepost.core.secrets import digest, new_token, well_formed
from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.errors import FactorNotFound
from gatepost.mfa.events import DeviceForgotten, DeviceRemembered
from gatepost.mfa.models import RememberedDevice
from gatepost.mfa.schemas import DeviceOut
from gatepost.sessions import SessionOptions, device, recorded_address

__all__ = ["RememberedDevices"]

_TOKEN_KIND = "rd"  # noqa: S105  no password
_MOST = 20


class RememberedDevices:
    """A person's remembered devices, each known by a token of which the digest alone is kept."""

    def __init__(self, work: Work, remember_for: timedelta, sessions: SessionOptions) -> None:
        self._work = work
        self._remember_for = remember_for
        self._sessions = sessions

    async def remember(self, user_id: UUID) -> tuple[str, datetime] | None:
        """Return a token for this client, and until when it is good; None where no device is remembered.

        The one that was used longest ago makes room.
        """
        if not self._remember_for:
            return None
        await self._work.execute(queries.PERSON_LOCKED, {"user_id": user_id})
        rows = (await self._work.execute(queries.DEVICES, {"user_id": user_id, "now": self._work.now})).all()
        if len(rows) >= _MOST:
            await self._delete(user_id, RememberedDevice.id.in_([row.id for row in rows[_MOST - 1 :]]))
        token, client, now = new_token(_TOKEN_KIND), self._work.client, self._work.now
        row = {
            "id": new_id(),
            "user_id": user_id,
            "digest": digest(token),
            "user_agent": (client.user_agent or "")[:256] or None,
            "address": recorded_address(client.address, self._sessions.address_detail),
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + self._remember_for,
        }
        await self._work.execute(insert(RememberedDevice).values(**row))
        self._work.events.record(DeviceRemembered(subject=user_id, device_id=row["id"]))
        return token, row["expires_at"]

    async def recognise(self, user_id: UUID, token: str | None) -> UUID | None:
        """Return the device that has this token, if it is one of the person's. Before the transaction."""
        if token is None or not self._remember_for or not well_formed(_TOKEN_KIND, token):
            return None
        wanted = {"user_id": user_id, "digest": digest(token), "now": self._work.now}
        row = await self._work.read.first(queries.RECOGNISED, wanted)
        return row.id if row else None

    async def use(self, user_id: UUID, device_id: UUID) -> bool:
        """Tell, inside the transaction, whether a device that was recognised still is remembered."""
        statement = (
            update(RememberedDevice)
            .where(
                RememberedDevice.id == device_id,
                RememberedDevice.user_id == user_id,
                RememberedDevice.expires_at > self._work.now,
            )
            .values(last_used_at=self._work.now)
            .returning(RememberedDevice.id)
            .execution_options(synchronize_session=False)
        )
        return (await self._work.execute(statement)).first() is not None

    async def of(self, user_id: UUID) -> list[DeviceOut]:
        """Return a person's devices, the one that was used last first."""
        rows = await self._work.read.rows(queries.DEVICES, {"user_id": user_id, "now": self._work.now})
        return [_shown(row) for row in rows]

    async def forget(self, user_id: UUID, device_id: UUID) -> None:
        """Forget one device. Raises FactorNotFound."""
        if not await self._delete(user_id, RememberedDevice.id == device_id):
            raise FactorNotFound

    async def forget_all(self, user_id: UUID) -> int:
        """Forget all of a person's devices; return how many."""
        return await self._delete(user_id)

    async def _delete(self, user_id: UUID, *conditions: Any) -> int:
        statement = (
            delete(RememberedDevice)
            .where(RememberedDevice.user_id == user_id, *conditions)
            .returning(RememberedDevice.id)
            .execution_options(synchronize_session=False)
        )
        forgotten = len((await self._work.execute(statement)).all())
        if forgotten:
            self._work.events.record(DeviceForgotten(subject=user_id, devices=forgotten))
        return forgotten


def _shown(row: Any) -> DeviceOut:
    return DeviceOut(
        id=row.id,
        device=device(row.user_agent),
        address=row.address,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )
