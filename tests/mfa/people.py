"""People with second factors, and the sessions that they would get by them at the door."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pyotp
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.mfa import CodeWrong, Mfa, TotpDelayed
from tests.make import Person, SignedIn, strongly_signed_in

__all__ = ["App", "enrolled", "recovered", "shows", "strongly_signed_in"]


@dataclass(frozen=True)
class App:
    """An authenticator app, by another hand than ours."""

    id: UUID
    uri: str
    recovery_codes: tuple[str, ...] = ()

    @property
    def secret(self) -> str:
        return parse_qs(urlsplit(self.uri).query)["secret"][0]

    def code(self, moment: datetime) -> str:
        return pyotp.parse_uri(self.uri).generate_otp(int(moment.timestamp()) // 30)

    def wrong_code(self, moment: datetime) -> str:
        """Return a code that is right at no time near."""
        near = {
            pyotp.TOTP(self.secret).generate_otp(int(moment.timestamp()) // 30 + step)
            for step in range(-9, 9)
        }
        return next(each for each in map("{:06}".format, range(20)) if each not in near)


async def enrolled(client: AsyncClient, me: SignedIn, now: datetime, **new: Any) -> App:
    """Add an app, as its owner would; the code of this moment is used by that."""
    begun = await client.post("/users/me/factors/totp", json=new, headers=me.headers)
    assert begun.status_code == 200, begun.text
    app = App(UUID(begun.json()["id"]), begun.json()["uri"])
    body = {"id": str(app.id), "code": app.code(now)}
    done = await client.post("/users/me/factors/totp/confirm", json=body, headers=me.headers)
    assert done.status_code == 200, done.text
    return App(app.id, app.uri, tuple(done.json()["recovery_codes"] or ()))


async def shows(gatepost: Gatepost, person: Person, code: str) -> str:
    """Show a code of an app as the door would; return what came of it."""
    try:
        await gatepost.run(lambda work: gatepost.build(Mfa, work).check_totp(person.id, code))
    except (CodeWrong, TotpDelayed) as error:
        return error.code
    return "right"


async def recovered(gatepost: Gatepost, person: Person, code: str) -> int | None:
    """Show a recovery code as the door would; return how many are left, None if it was wrong."""
    try:
        return await gatepost.run(lambda work: gatepost.build(Mfa, work).use_recovery_code(person.id, code))
    except CodeWrong:
        return None
