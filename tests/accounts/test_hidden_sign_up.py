"""Signing up where nobody shall learn by it who has an account: answers, work, time and what comes after."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import Engine, event, func, select

from gatepost import Gatepost, Settings
from gatepost.core.errors import Stopped
from gatepost.settings import must_run
from gatepost.users import User
from tests.make import PASSWORD, Make
from tests.post import Post, by_hand
from tests.security.expect import assert_problem

SAME_ID = {"X-Request-ID": "the-same-for-all"}
OTHER = "harbour-umbrella-77"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, email_verification="required", sign_up_hides_accounts=True)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement of every engine, from before the first connection on."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        # Savepoints have a number; an insert of two rows is the same work as of one.
        seen.append(re.sub(r"sa_savepoint_\d+", "s", re.sub(r"\s+", " ", statement)))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def sign_up(client: AsyncClient, email: str, password: str = OTHER, **more: Any) -> Response:
    new = {"email": email, "password": password, "name": "Ada", "locale": "de"}
    return await client.post("/users/", json={**new, **more}, headers=SAME_ID)


def masked(answer: Response, email: str) -> tuple[Any, ...]:
    text = re.sub(r'"id":"[^"]+"', '"id":""', answer.text.replace(email, "EMAIL"))
    return answer.status_code, text, tuple(sorted(answer.headers.keys())), answer.headers.get("etag")


async def test_g01_g03_a_known_address_is_answered_as_a_new_one(
    statements: list[str], client: AsyncClient, make: Make, post: Post, gatepost: Gatepost
) -> None:
    known, disabled = await make.user("known@example.com"), await make.user("closed@example.com")
    administrator = await make.administrator("root@example.com")
    async with gatepost.work() as work:
        from gatepost.accounts import Accounts, ChangeAccount

        await gatepost.build(Accounts, work).change(disabled.id, ChangeAccount(is_active=False))
        await gatepost.build(Accounts, work).change(administrator.id, ChangeAccount(email_verified=True))
    await sign_up(client, "waits@example.com", PASSWORD)
    await post.letters()
    emails = ("new@example.com", known.email, "KNOWN@example.com", disabled.email, "waits@example.com")
    seen: set[Any] = set()
    done: dict[str, list[str]] = {}
    for email in emails:
        statements.clear()
        answer = await sign_up(client, email)
        seen.add(masked(answer, email))
        undone = ("ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s")
        done[email] = ["SAVEPOINT ends" if each in undone else each for each in statements]
    assert len(seen) == 1, seen
    assert {email: work for email, work in done.items() if work != done["new@example.com"]} == {}

    sent = sorted((letter.kind, letter.to) for letter in await post.letters())
    assert sent == [
        ("already_registered", "known@example.com"),
        ("already_registered", "known@example.com"),
        ("already_registered", "waits@example.com"),
        ("verify_email", "new@example.com"),
    ]
    count = await gatepost.database.reads.first(select(func.count()).select_from(User))
    assert count == (5,)

    # Nothing that comes after tells, either: the password that was just set is as wrong as any.
    later = set()
    for email in emails:
        for password in (OTHER, "not-the-lighthouse-1"):
            form = {"username": email, "password": password}
            refused = await client.post("/users/token", data=form, headers=SAME_ID)
            later.add((refused.status_code, refused.content, tuple(refused.headers.raw)))
    assert len(later) == 1, later


async def test_its_owner_gets_in_by_the_mail_and_whoever_was_there_before_is_out(
    client: AsyncClient, make: Make, post: Post
) -> None:
    await sign_up(client, "ada@example.com", PASSWORD)
    first = await post.letter("verify_email")
    await sign_up(client, "ada@example.com")
    letter = await post.letter("already_registered")
    # What the other's sign-up has sent is dead: to type it in would confirm the other's password.
    shown = {"email": "ada@example.com", "code": first.code}
    assert (await client.post("/email/verify", json=shown)).status_code == 400

    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post(letter.page, data={"token": letter.token}, headers=headers)).status_code == 303

    for password in (PASSWORD, OTHER):
        assert (await make.sign_in("ada@example.com", password)).status_code == 400


async def test_a_new_person_verifies_and_signs_in(client: AsyncClient, make: Make, post: Post) -> None:
    answer = await sign_up(client, "ada@example.com")
    code = (await post.letter("verify_email")).code
    poor = await sign_up(client, "ada@example.com", "password1")
    assert_problem(poor, 422)
    shown = {"email": "ada@example.com", "code": code}
    assert (await client.post("/email/verify", json=shown)).status_code == 204
    tokens = (await make.sign_in("ada@example.com", OTHER)).json()
    me = await client.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["id"] == answer.json()["id"]


def test_it_is_refused_where_it_would_hide_nothing(settings: Settings) -> None:
    must_run(settings)
    open_house = settings.accounts.model_copy(update={"email_verification": "encouraged"})
    with pytest.raises(Stopped, match="EMAIL_VERIFICATION=required"):
        must_run(settings.model_copy(update={"accounts": open_house}))
