"""Second factors of people who stand before the door: made by the rooms, as they would by their owners."""

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from gatepost import Gatepost
from gatepost.mfa import Mfa
from gatepost.passkeys import Enrolment, NewPasskey
from gatepost.users import ProfileChange, UserNotFound, Users
from tests.authenticator import Authenticator
from tests.mfa.people import App

__all__ = ["ORIGIN", "give_app", "give_passkey", "next_code", "verify"]

# A loopback address is one that browsers take by its name alone.
ORIGIN = "http://localhost:8000"
STEP = timedelta(seconds=30)


async def give_app(gatepost: Gatepost, person: UUID) -> App | None:
    """Give somebody an app; the code of this moment is used by that. None for whoever is gone."""
    begun = {}

    async def begin(work: Any) -> None:
        begun["app"] = await gatepost.build(Mfa, work).begin_totp(person, "ada@example.com")

    async def confirm(work: Any) -> list[str] | None:
        app = begun["app"]
        code = App(app.id, app.uri).code(gatepost.clock.now())
        return (await gatepost.build(Mfa, work).confirm_totp(person, app.id, code)).recovery_codes

    try:
        await gatepost.run(begin)
    except UserNotFound:
        return None
    codes = await gatepost.run(confirm)
    return App(begun["app"].id, begun["app"].uri, tuple(codes or ()))


def next_code(gatepost: Gatepost, app: App) -> str:
    """Return a code that was not used: of the next step, which counts already."""
    return app.code(gatepost.clock.now() + STEP)


async def verify(gatepost: Gatepost, person: UUID) -> None:
    """Mark somebody's address as verified, as an administrator would."""

    async def mark(work: Any) -> None:
        users = gatepost.build(Users, work)
        await users.change(await users.load(person), ProfileChange(email_verified=True))

    with suppress(UserNotFound):
        await gatepost.run(mark)


async def give_passkey(gatepost: Gatepost, person: UUID, key: Authenticator) -> bool:
    """Give somebody a passkey; tell whether there is anybody."""
    binding = secrets.token_bytes(32)

    async def options(work: Any) -> dict[str, Any]:
        user = await gatepost.build(Users, work).load(person)
        return (await gatepost.build(Enrolment, work).options(user, binding)).model_dump(by_alias=True)

    async def add(work: Any) -> None:
        enrolment = gatepost.build(Enrolment, work)
        checked = await enrolment.check(person, binding, new)
        await enrolment.add(await gatepost.build(Users, work).load(person), checked)

    try:
        asked = await gatepost.run(options)
    except UserNotFound:
        return False
    new = NewPasskey.model_validate({"name": "My phone", "credential": key.create(asked, ORIGIN)})
    await gatepost.run(add)
    return True
