"""Showing that an address is one's own: by the link, by the code, once, and nobody else's."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.conftest import open_client
from tests.make import PASSWORD, Make
from tests.post import Letter, Post, by_hand

ADA = {"email": "Ada@Example.com", "password": PASSWORD}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, email_verification="encouraged")


async def verify(client: AsyncClient, **shown: str) -> Response:
    return await client.post("/email/verify", json=shown)


async def sign_up(client: AsyncClient, post: Post) -> Letter:
    assert (await client.post("/users/", json=ADA)).status_code == 200
    return await post.letter("verify_email")


async def is_verified(make: Make, client: AsyncClient) -> bool:
    tokens = (await make.sign_in(ADA["email"], PASSWORD)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return (await client.get("/users/me", headers=headers)).json()["email_verified"]


async def test_who_signs_up_is_asked_and_the_link_works_once(
    client: AsyncClient, make: Make, post: Post
) -> None:
    letter = await sign_up(client, post)
    assert letter.to == ADA["email"]
    assert not await is_verified(make, client)

    answers = await asyncio.gather(
        *(verify(client, token=letter.token, password=PASSWORD) for _ in range(20))
    )

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}
    assert not any(answer.content or answer.cookies for answer in answers if answer.status_code == 204)
    assert {answer.json()["code"] for answer in answers if answer.content} == {"mail-proof-invalid"}
    assert await is_verified(make, client)
    assert (await verify(client, email=ADA["email"], code=letter.code)).status_code == 400


async def test_the_code_works_with_its_address_alone_and_bears_few_guesses(
    client: AsyncClient, make: Make, post: Post
) -> None:
    letter = await sign_up(client, post)
    other = await make.signed_in(await make.user("eve@example.com"))
    await client.post("/users/me/email/verification", headers=other.headers)
    theirs = await post.letter("verify_email")

    # Each of these is about Eve's address, or about none.
    for shown in ({"email": "eve@example.com", "code": letter.code}, {"email": "no address", "code": "1"}):
        assert (await verify(client, **shown)).status_code == 400
    assert (await verify(client, email="EVE@example.com", code=theirs.code)).status_code == 204
    guesses = [verify(client, email="ada@example.com", code=letter.wrong_code) for _ in range(5)]
    assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {400}
    assert (await verify(client, email="ada@example.com", code=letter.code)).status_code == 400
    # Whoever guesses can use up the code; the link is beyond guessing.
    assert (await verify(client, token=letter.token, password=PASSWORD)).status_code == 204
    assert await is_verified(make, client)


async def test_what_was_sent_before_dies_with_the_next_and_with_a_change(
    client: AsyncClient, make: Make, post: Post
) -> None:
    first = await sign_up(client, post)
    tokens = (await make.sign_in(ADA["email"], PASSWORD)).json()
    me = {"Authorization": f"Bearer {tokens['access_token']}"}
    again = await client.post("/users/me/email/verification", headers=me)
    assert (again.status_code, again.content) == (202, b"")
    second = await post.letter("verify_email")

    assert (await verify(client, token=first.token)).status_code == 400
    assert (await verify(client, email=ADA["email"], code=first.code)).status_code == 400
    changes: list[dict[str, Any]] = [{"email": "lovelace@example.com"}, {"email": ADA["email"]}]
    for change in changes:
        assert (await client.patch("/users/me", json=change, headers=me)).status_code == 200
    assert (await verify(client, token=second.token)).status_code == 400

    await post.letters()
    await client.post("/users/me/email/verification", headers=me)
    third = await post.letter("verify_email")
    # What is good for one thing is good for nothing else.
    reset = await client.post("/password/reset", json={"token": third.token, "password": PASSWORD})
    assert (reset.status_code, reset.json()["code"]) == (400, "mail-proof-invalid")
    confirmed = await client.post("/email/verify", json={"token": third.token}, headers=me)
    assert confirmed.status_code == 204
    asked = await client.post("/users/me/email/verification", headers=me)
    assert (asked.status_code, asked.json()["code"]) == (409, "email-already-verified")
    assert await post.letters() == []


async def test_f13_it_ends_to_the_second_and_the_mail_with_it(
    client: AsyncClient, post: Post, clock: MovableClock
) -> None:
    letter = await sign_up(client, post)
    clock.move(timedelta(hours=24) - timedelta(seconds=1))
    assert (await client.get(letter.link)).status_code == 200
    clock.move(timedelta(seconds=1))
    assert (await verify(client, token=letter.token)).status_code == 400
    assert (await verify(client, email=ADA["email"], code=letter.code)).status_code == 400
    assert (await client.get(letter.link)).status_code == 400

    assert (await client.post("/users/", json={**ADA, "email": "late@example.com"})).status_code == 200
    clock.move(timedelta(hours=24))
    assert await post.letters() == []


async def test_only_what_fits_is_looked_at(client: AsyncClient) -> None:
    for body in (
        {},
        {"token": "x", "email": "a@b.example", "code": "1"},
        {"email": "a@b.example"},
        {"code": "123456"},
        {"token": "x", "code": "1"},
        {"token": None},
    ):
        answer = await client.post("/email/verify", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), body
    assert (await verify(client, token="gp_ml_garbage")).status_code == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_where_it_is_off_nobody_is_asked_unasked(settings: Settings, clock: MovableClock) -> None:
    service = Gatepost(by_hand(settings, email_verification="off"), clock=clock)
    async with service.lifespan(), open_client(service) as client:
        await client.post("/users/", json=ADA)
        assert await Post(service).letters() == []
