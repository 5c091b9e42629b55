"""A forgotten password: who gets a link, what it does, and what nobody learns by asking for one."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import Engine, event, select

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LocalLimiter
from gatepost.proofs import MailProof
from tests.conftest import open_client
from tests.make import PASSWORD, Make, Person
from tests.post import Letter, Post, by_hand

NEW = "another-good-one-77"
SAME_ID = {"X-Request-ID": "the-same-for-all"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def forgot(client: AsyncClient, email: str) -> Response:
    answer = await client.post("/password/forgot", json={"email": email}, headers=SAME_ID)
    assert answer.status_code == 202, answer.text
    return answer


async def reset(client: AsyncClient, password: str = NEW, **shown: str) -> Response:
    return await client.post("/password/reset", json={**shown, "password": password}, headers=SAME_ID)


async def asked(client: AsyncClient, post: Post, person: Person) -> Letter:
    await post.letters()
    await forgot(client, person.email)
    return await post.letter("reset_password")


async def test_a_new_password_ends_what_was_and_signs_nobody_in(
    client: AsyncClient, make: Make, post: Post
) -> None:
    me = await make.signed_in()
    thief = await make.signed_in(me.person)
    letter = await asked(client, post, me.person)

    # A password that is refused costs nothing.
    for poor in ("password1", "aaaaaaaaaaaa", f"{me.person.email}1"):
        refused = await reset(client, poor, token=letter.token)
        assert (refused.status_code, refused.json()["code"]) == (422, "password-refused")
    done = await reset(client, token=letter.token)

    assert (done.status_code, done.content, len(done.cookies)) == (204, b"", 0)
    for each in (me, thief):
        answer = await client.get("/users/me", headers=each.headers)
        assert (answer.status_code, answer.json()["reason"]) == (401, "password_changed")
        assert (await make.refresh(each.refresh_token)).status_code == 400
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 400
    again = await make.signed_in(Person(me.person.id, me.person.email, NEW))
    profile = (await client.get("/users/me", headers=again.headers)).json()
    # Who reads the mail has shown the address to be theirs.
    assert profile["email_verified"]
    assert [(each.kind, each.to) for each in await post.letters()] == [("password_changed", me.person.email)]


async def test_f03_a_link_is_dead_once_used_replaced_or_overtaken(
    client: AsyncClient, make: Make, post: Post, clock: MovableClock
) -> None:
    person = await make.user()
    first, second = await asked(client, post, person), await asked(client, post, person)
    assert (await reset(client, token=first.token)).status_code == 400
    assert (await reset(client, email=person.email, code=first.code)).status_code == 400
    assert (await reset(client, email=person.email, code=second.code)).status_code == 204
    for shown in ({"token": second.token}, {"email": person.email, "code": second.code}):
        assert (await reset(client, "a-third-good-one-78", **shown)).status_code == 400

    # A new password, another address, and an end to being let in: each is a reason.
    me = await make.signed_in(Person(person.id, person.email, NEW))
    administrator = await make.signed_in(await make.administrator())
    changes: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"password": "a-third-good-one-78", "current_password": NEW}, me.headers),
        ({"email": "elsewhere@example.com"}, me.headers),
        ({"is_active": False}, administrator.headers),
    ]
    for change, headers in changes:
        letter = await asked(client, post, person)
        answer = await client.patch(f"/users/{person.id}", json=change, headers=headers)
        assert answer.status_code == 200, answer.text
        person = Person(person.id, answer.json()["email"])
        assert (await reset(client, token=letter.token)).status_code == 400
        await post.letters()

    other = await make.user()
    letter = await asked(client, post, other)
    clock.move(timedelta(hours=1))
    assert (await reset(client, token=letter.token)).status_code == 400


async def test_f03_of_twenty_at_once_one_sets_the_password(
    client: AsyncClient, make: Make, post: Post
) -> None:
    person = await make.user()
    letter = await asked(client, post, person)
    passwords = [f"another-good-one-{number}" for number in range(100, 120)]
    shown = [{"token": letter.token}, {"email": person.email, "code": letter.code}] * 10

    answers = await asyncio.gather(
        *(reset(client, password, **how) for password, how in zip(passwords, shown, strict=True))
    )

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}
    (won,) = [word for word, answer in zip(passwords, answers, strict=True) if answer.status_code == 204]
    works = [word for word in passwords if (await make.sign_in(person.email, word)).status_code == 200]
    assert works == [won]


async def test_a_reset_and_a_change_at_once_leave_one_of_two_passwords(
    client: AsyncClient, make: Make, post: Post
) -> None:
    me = await make.signed_in()
    letter = await asked(client, post, me.person)
    change = {"password": "a-third-good-one-78", "current_password": PASSWORD}

    by_mail, by_hand_ = await asyncio.gather(
        reset(client, token=letter.token), client.patch("/users/me", json=change, headers=me.headers)
    )

    # Whichever came first, the other was about what is no more.
    assert (by_mail.status_code == 204) != (by_hand_.status_code == 200)
    holds = NEW if by_mail.status_code == 204 else "a-third-good-one-78"
    for word in (PASSWORD, NEW, "a-third-good-one-78"):
        assert (await make.sign_in(me.person.email, word)).status_code == (200 if word == holds else 400)


async def test_f01_without_a_proof_of_that_purpose_there_is_no_new_password(
    client: AsyncClient, make: Make, post: Post
) -> None:
    me = await make.signed_in()
    await client.post("/users/me/email/verification", headers=me.headers)
    other_purpose = await post.letter("verify_email")
    eve = await make.user()
    hers = await asked(client, post, eve)
    tries: list[dict[str, str]] = [
        {},
        {"email": me.person.email},
        {"token": ""},
        {"token": me.access_token[:200]},
        {"token": me.refresh_token},
        {"token": other_purpose.token},
        {"email": me.person.email, "code": other_purpose.code},
        {"email": me.person.email, "code": hers.code},
        {"email": me.person.email, "code": ""},
        {"token": hers.token, "email": me.person.email},
        {"token": hers.token, "email": me.person.email, "code": hers.code},
    ]
    for shown in tries:
        assert (await reset(client, **shown)).status_code in {400, 422}, shown
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 200


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement of every engine, from before the first connection on."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(re.sub(r"\s+", " ", statement))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_g01_g03_nobody_learns_by_it_who_has_an_account(
    statements: list[str], client: AsyncClient, make: Make, post: Post, gatepost: Gatepost
) -> None:
    known, disabled = await make.user(), await make.user()
    administrator = await make.signed_in(await make.administrator())
    await client.patch(f"/users/{disabled.id}", json={"is_active": False}, headers=administrator.headers)
    await post.letters()
    emails = (known.email, known.email.upper(), "nobody@example.com", disabled.email)
    seen: set[Any] = set()
    work: set[tuple[str, ...]] = set()
    guesses: dict[str, set[Any]] = {}
    for email in emails:
        statements.clear()
        answer = await forgot(client, email)
        work.add(tuple(statements))
        seen.add((answer.status_code, answer.content, tuple(answer.headers.raw)))
        # Seven, and five use it up: that shows nothing, either.
        for _ in range(7):
            statements.clear()
            wrong = await reset(client, email=email, code="12345x")
            guesses.setdefault("work", set()).add(tuple(statements))
            guesses.setdefault("seen", set()).add(
                (wrong.status_code, wrong.content, tuple(wrong.headers.raw))
            )
    assert len(seen) == 1, seen
    assert len(work) == 1, work
    assert {name: len(found) for name, found in guesses.items()} == {"work": 1, "seen": 1}, guesses

    sent = await post.letters()
    assert [(letter.kind, letter.to) for letter in sent] == [("reset_password", known.email)] * 2
    rows = await gatepost.database.reads.rows(select(MailProof.user_id, MailProof.attempts_left))
    assert [row.attempts_left for row in rows] == [0, 0, 0]


async def test_k15_nobody_is_flooded_and_the_refusal_tells_nothing(
    settings: Settings, clock: MovableClock
) -> None:
    limits = settings.limits.model_copy(update={"credentials": 100})
    counting = settings.model_copy(update={"rate_limits": "on", "limits": limits})
    service = Gatepost(counting, clock=clock, limiter=LocalLimiter(lambda: 0.0))
    async with service.lifespan(), open_client(service) as client:
        person = await Make(service, client).user()
        post = Post(service)
        statuses = {}
        for email in (person.email, "nobody@example.com"):
            answers = [
                await client.post("/password/forgot", json={"email": email}, headers=SAME_ID)
                for _ in range(7)
            ]
            statuses[email] = [answer.status_code for answer in answers]
        assert {*map(tuple, statuses.values())} == {(202,) * 5 + (429,) * 2}
        assert [letter.to for letter in await post.letters()] == [person.email] * 5


async def test_a_code_is_guessed_by_account_and_not_by_address(
    settings: Settings, clock: MovableClock
) -> None:
    counting = settings.model_copy(update={"rate_limits": "on"})
    service = Gatepost(counting, clock=clock, limiter=LocalLimiter(lambda: 0.0))
    statuses = []
    async with service.lifespan():
        for number in range(12):
            transport = ASGITransport(app=service.app, client=(f"9.0.0.{number}", 1))
            async with AsyncClient(transport=transport, base_url="http://gatepost.test") as client:
                answer = await reset(client, email="ada@example.com", code=f"{number:06}")
            statuses.append(answer.status_code)
    assert statuses == [400] * 10 + [429] * 2


async def test_f02_f05_the_link_leads_to_the_public_url_and_goes_to_one_address(
    settings: Settings, clock: MovableClock
) -> None:
    public = settings.model_copy(update={"public_url": "https://auth.example.com/id"})
    service = Gatepost(public, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        person = await Make(service, client).user("ada@example.com")
        post = Post(service)
        poison = {"X-Forwarded-Host": "evil.example", "Host": "localhost", "Origin": "https://evil.example"}
        await client.post("/password/forgot", json={"email": "ADA@example.com"}, headers=poison)
        letter = await post.letter("reset_password")
        assert (letter.to, letter.url) == (
            person.email,
            f"https://auth.example.com/id/reset-password?token={letter.token}",
        )
        for email in (["ada@example.com", "eve@evil.example"], "ada@example.com,eve@evil.example"):
            answer = await client.post("/password/forgot", json={"email": email})
            assert answer.status_code == 422
        assert await post.letters() == []
