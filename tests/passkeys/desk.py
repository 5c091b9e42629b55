"""Somebody at a browser with an authenticator: registering over HTTP, signing in as the door will ask."""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response
from sqlalchemy import select

from gatepost import Gatepost
from gatepost.core.events import EventRow
from gatepost.passkeys import AssertionResponse, CheckedPasskey, Passkeys
from gatepost.users import Standing
from tests.authenticator import Authenticator, Twist
from tests.conftest import make_settings, open_client
from tests.make import Make, SignedIn

__all__ = ["ORIGIN", "OWN", "Desk", "desk_with"]

# Where a service is that nobody has told: a loopback address, which browsers take by its name alone.
ORIGIN = "http://localhost:8000"
OWN = "/users/me/passkeys"


class Desk:
    """A browser on one of our pages, and a door that asks for passkeys."""

    def __init__(self, gatepost: Gatepost, client: AsyncClient, origin: str = ORIGIN) -> None:
        self.gatepost = gatepost
        self.client = client
        self.origin = origin

    async def options(self, me: SignedIn) -> dict[str, Any]:
        """Ask for what the browser needs to make a passkey."""
        answer = await self.client.post(f"{OWN}/options", headers=me.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, me: SignedIn, credential: Mapping[str, Any], name: str = "My phone") -> Response:
        """Send what the browser made."""
        body = {"name": name, "credential": credential}
        return await self.client.post(OWN, json=body, headers=me.headers)

    async def add(self, me: SignedIn, key: Authenticator | None = None, name: str = "My phone") -> Any:
        """Add a passkey; return what was answered."""
        made = (key or Authenticator()).create(await self.options(me), self.origin)
        answer = await self.send(me, made, name)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def items(self, me: SignedIn) -> list[dict[str, Any]]:
        """List somebody's passkeys."""
        answer = await self.client.get(OWN, headers=me.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def ask(
        self, binding: bytes, user_id: UUID | None = None, *, verified: bool = False
    ) -> dict[str, Any]:
        """Ask for a passkey, for a sign-in with this binding."""
        async with self.gatepost.work() as work:
            passkeys = self.gatepost.build(Passkeys, work)
            asked = await passkeys.request_options(binding, user_id, verified=verified)
        return asked.model_dump(by_alias=True)

    async def check(self, binding: bytes, shown: Mapping[str, Any]) -> CheckedPasskey:
        """Judge what was shown. Raises PasskeyInvalid."""
        async with self.gatepost.work() as work:
            return await self.gatepost.build(Passkeys, work).check(
                binding, AssertionResponse.model_validate(shown)
            )

    async def use(self, checked: CheckedPasskey) -> Standing:
        """Take what was checked. Raises PasskeyInvalid."""
        async with self.gatepost.work() as work:
            return await self.gatepost.build(Passkeys, work).use(checked)

    async def sign_in(
        self,
        key: Authenticator,
        twist: Twist = Twist(),
        *,
        binding: bytes | None = None,
    ) -> CheckedPasskey:
        """Show a passkey as somebody who has not said who they are. Raises PasskeyInvalid."""
        bound = binding or secrets.token_bytes(32)
        checked = await self.check(bound, key.get(await self.ask(bound), self.origin, twist))
        await self.use(checked)
        return checked

    async def events(self, kind: str = "passkey.refused") -> list[dict[str, Any]]:
        """Return what was recorded of this kind, the oldest first, each with its subject."""
        query = select(EventRow.subject, EventRow.data).where(EventRow.type == kind).order_by(EventRow.id)
        rows = await self.gatepost.database.reads.rows(query)
        return [{**row.data, "subject": row.subject} for row in rows]

    async def last_reason(self) -> str:
        """Return why something was refused last."""
        return (await self.events())[-1]["reason"]


@asynccontextmanager
async def desk_with(
    database_url: str, data_dir: Path, origin: str = ORIGIN, *, public_url: str | None = None, **options: Any
) -> AsyncGenerator[tuple[Desk, Make]]:
    """Run a service with these settings of passkeys meanwhile."""
    gatepost = Gatepost(make_settings(database_url, data_dir, public_url=public_url, passkeys=options))
    async with gatepost.lifespan(), open_client(gatepost) as client:
        yield Desk(gatepost, client, origin), Make(gatepost, client)
