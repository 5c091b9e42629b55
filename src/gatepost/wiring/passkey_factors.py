"""Passkeys, as the room of second factors asks for those of other rooms."""

from datetime import datetime
from uuid import UUID

from gatepost.mfa import PASSKEY
from gatepost.passkeys import Passkeys

__all__ = ["PasskeyFactors"]


class PasskeyFactors:
    """Says who has a passkey, and removes them with all other second factors."""

    def __init__(self, passkeys: Passkeys) -> None:
        self._passkeys = passkeys

    async def of(self, user_id: UUID) -> frozenset[str]:
        """Return the method, if the person has a passkey."""
        return frozenset({PASSKEY} if await self._passkeys.has_any(user_id) else ())

    async def of_now(self, user_id: UUID) -> frozenset[str]:
        """Return the same inside the transaction."""
        return frozenset({PASSKEY} if await self._passkeys.has_any_now(user_id) else ())

    async def remove_all(self, user_id: UUID) -> None:
        """Remove all passkeys of a person, whose row the caller has locked."""
        await self._passkeys.remove_all(user_id, "factors_reset")

    async def remove_since(self, user_id: UUID, since: datetime) -> None:
        """Remove the passkeys that a person added then or later; the caller has locked their row."""
        await self._passkeys.remove_all(user_id, "address_restored", since)
