"""What a stranger may ask of the journeys by mail, about addresses that have an account and others that have none."""

import itertools
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from httpx2 import AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.accounts import Accounts, ChangeAccount
from gatepost.users import ProfileChange, Users
from tests.make import PASSWORD, Make, SignedIn
from tests.post import Post, by_hand

__all__ = ["Ask", "Journeys", "askers", "for_askers"]

Ask = Callable[[], Awaitable[Response]]
Journeys = Mapping[str, Mapping[str, Ask]]
SAME_ID = {"X-Request-ID": "the-same-for-all"}
WRONG = "12345x"
_ID = re.compile(rb'"id":"[^"]+"')


def for_askers(settings: Settings) -> Settings:
    """Return the settings of a service in which every journey can be taken."""
    return by_hand(
        settings, email_verification="required", sign_up_hides_accounts=True, deletion_grace=timedelta(days=7)
    )


class _Askers:
    """Makes people in the states that matter, and what is asked about each."""

    def __init__(self, gatepost: Gatepost, client: AsyncClient, make: Make, post: Post) -> None:
        self._gatepost = gatepost
        self._client = client
        self._make = make
        self._post = post

    async def _member(self) -> SignedIn:
        """Somebody whose address is verified, signed in."""
        person = await self._make.user()
        async with self._gatepost.work() as work:
            users = self._gatepost.build(Users, work)
            await users.change(await users.load(person.id), ProfileChange(email_verified=True))
        return await self._make.signed_in(person)

    def _to(self, path: str, **body: Any) -> Ask:
        """Return what sends this."""

        def ask() -> Awaitable[Response]:
            return self._client.post(path, json=body, headers=SAME_ID)

        return ask

    def _guesses(
        self, path: str, known: str, unknown: str = "nobody@example.com", **more: str
    ) -> dict[str, Ask]:
        """Return what guesses at a code of each."""
        emails = {"unknown": unknown, "known": known}
        return {state: self._to(path, email=email, code=WRONG, **more) for state, email in emails.items()}

    async def sign_up(self) -> dict[str, Ask]:
        """Sign up where that hides accounts: with addresses that are new, and with one that is not."""
        known = await self._make.user("taken000@example.com")
        fresh = itertools.count()

        def to(email: Callable[[], str]) -> Ask:
            async def ask() -> Response:
                asked = email()
                new = {"email": asked, "password": PASSWORD}
                answer = await self._client.post("/users/", json=new, headers=SAME_ID)
                answer._content = _ID.sub(b'"id":"*"', answer.content.replace(asked.encode(), b"*"))
                return answer

            return ask

        return {"unknown": to(lambda: f"new{next(fresh):05}@example.com"), "known": to(lambda: known.email)}

    async def sign_in(self) -> dict[str, Ask]:
        known = await self._make.user()
        begun = (await self._client.post("/login", json={"carrier": "bearer"})).json()
        flow = {name: begun[name] for name in ("flow", "binding")}
        emails = {"unknown": "nobody@example.com", "known": known.email}
        return {state: self._to("/login/mail", **flow, email=email) for state, email in emails.items()}

    async def forgot(self) -> dict[str, Ask]:
        known, disabled = await self._make.user(), await self._make.user()
        async with self._gatepost.work() as work:
            accounts = self._gatepost.build(Accounts, work)
            await accounts.change(disabled.id, ChangeAccount(is_active=False))
        emails = {"unknown": "nobody@example.com", "known": known.email, "disabled": disabled.email}
        return {state: self._to("/password/forgot", email=email) for state, email in emails.items()}

    async def reset(self) -> dict[str, Ask]:
        known = await self._make.user()
        asked_too = "nobody-either@example.com"
        for email in (known.email, asked_too):
            await self._client.post("/password/forgot", json={"email": email})
        return self._guesses("/password/reset", known.email, asked_too, password="another-good-one-77")

    async def verify(self) -> dict[str, Ask]:
        new = {"email": "newcomer@example.com", "password": PASSWORD}
        assert (await self._client.post("/users/", json=new)).status_code == 200
        return self._guesses("/email/verify", new["email"])

    async def undo(self) -> dict[str, Ask]:
        me = await self._member()
        await self._post.letters()
        moved = {"email": "moved@example.com"}
        assert (await self._client.post("/users/me/email", json=moved, headers=me.headers)).status_code == 202
        letter = await self._post.letter("change_email_confirm")
        confirm = {"email": letter.to, "code": letter.code}
        assert (await self._client.post("/email/verify", json=confirm)).status_code == 204
        return self._guesses("/email/undo", me.person.email)

    async def cancel(self) -> dict[str, Ask]:
        me = await self._member()
        assert (await self._client.delete("/users/me", headers=me.headers)).status_code == 204
        return self._guesses("/deletion/cancel", me.person.email)

    async def change(self) -> dict[str, Ask]:
        me, taken = await self._member(), await self._make.user()
        free = "".join("x" if each.isdigit() else each for each in taken.email)

        def to(email: str) -> Ask:
            async def ask() -> Response:
                answer = await self._client.post(
                    "/users/me/email", json={"email": email}, headers={**me.headers, **SAME_ID}
                )
                # It says which address waits, as it was asked.
                answer._content = answer.content.replace(email.encode(), b"*")
                return answer

            return ask

        return {"unknown": to(free), "known": to(taken.email)}


async def askers(gatepost: Gatepost, client: AsyncClient, make: Make, post: Post) -> Journeys:
    """Return for each journey what asks about each state of an account; `unknown` is the one to compare with."""
    made = _Askers(gatepost, client, make, post)
    found = {
        "sign up": await made.sign_up(),
        "ask for a mail to sign in by": await made.sign_in(),
        "ask for a new password": await made.forgot(),
        "guess the code of a reset": await made.reset(),
        "guess the code that verifies": await made.verify(),
        "guess the code that undoes a change": await made.undo(),
        "guess the code that keeps an account": await made.cancel(),
        "ask for an address that is taken": await made.change(),
    }
    await post.letters()
    return found
