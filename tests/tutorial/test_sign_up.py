"""What the contract promises of `POST /users/`."""

import asyncio
from uuid import UUID

from httpx2 import AsyncClient, Response

from gatepost import Settings
from tests.conftest import make_settings
from tests.make import PASSWORD
from tests.tutorial.conftest import Open


async def sign_up(client: AsyncClient, email: object, password: object = PASSWORD) -> Response:
    return await client.post("/users/", json={"email": email, "password": password})


async def sign_in(client: AsyncClient, email: str, password: str) -> Response:
    return await client.post("/users/token", data={"username": email, "password": password})


async def test_ids_are_version_7_and_grow(client: AsyncClient) -> None:
    ids = [UUID((await sign_up(client, f"p{number}@example.com")).json()["id"]) for number in range(3)]

    assert {each.version for each in ids} == {7}
    assert ids == sorted(ids)


async def test_a_short_password_is_refused_and_not_echoed(client: AsyncClient) -> None:
    answer = await sign_up(client, "ada@example.com", "Zx9!k2@")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [item["field"] for item in answer.json()["errors"]] == ["password"]
    assert "Zx9!k2@" not in answer.text


MALFORMED = [
    "", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "ada @example.com", "a" * 300, None, 7,
]  # fmt: skip


async def test_a_malformed_address_is_refused(client: AsyncClient) -> None:
    for email in MALFORMED:
        answer = await sign_up(client, email)

        assert answer.status_code == 422, email
        assert [item["field"] for item in answer.json()["errors"]] == ["email"]
        assert PASSWORD not in answer.text


async def test_an_unknown_field_is_refused_by_name(client: AsyncClient) -> None:
    new = {"email": "ada@example.com", "password": PASSWORD, "is_admin": True}

    answer = await client.post("/users/", json=new)

    assert answer.status_code == 422
    assert [item["field"] for item in answer.json()["errors"]] == ["is_admin"]


SPELLINGS = [
    "zoë@example.com",
    "ZOË@EXAMPLE.COM",
    "zoe\u0308@example.com",
    "\uff5aoë@example.com",
    "zoë@\uff45xample.com",
]


async def test_a_taken_address_is_refused_in_every_spelling(client: AsyncClient) -> None:
    assert (await sign_up(client, "zoë@example.com")).status_code == 200

    for spelling in SPELLINGS:
        answer = await sign_up(client, spelling)

        assert (answer.status_code, answer.json()["detail"]) == (400, "Email already registered"), spelling


async def test_the_address_is_kept_as_typed(client: AsyncClient) -> None:
    assert (await sign_up(client, "Ada.L@Example.COM")).json()["email"] == "Ada.L@Example.COM"


async def test_of_many_equal_sign_ups_at_once_one_succeeds(client: AsyncClient) -> None:
    answers = await asyncio.gather(*(sign_up(client, "ada@example.com") for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    refused = {answer.json()["detail"] for answer in answers if answer.status_code == 400}
    assert refused == {"Email already registered"}


EASY = [
    ("password123", "common"),
    ("iloveyou1", "common"),
    ("ada.lovelace", "built from"),
    ("Ada.Lovelace@Example.com", "built from"),
    ("gatepost.2026", "built from"),
]


async def test_an_easy_password_is_refused(client: AsyncClient) -> None:
    for password, why in EASY:
        answer = await sign_up(client, "ada.lovelace@example.com", password)

        assert answer.status_code == 422, password
        assert [item["field"] for item in answer.json()["errors"]] == ["password"]
        assert why in answer.json()["detail"]
        assert password not in answer.text


async def test_a_password_may_be_long_and_strange_but_not_endless(client: AsyncClient) -> None:
    longest = "åéîø" * 128
    assert (await sign_up(client, "ada@example.com", longest)).status_code == 200
    assert (await sign_in(client, "ada@example.com", longest)).status_code == 200
    assert (await sign_in(client, "ada@example.com", longest[:-1])).status_code == 400

    answer = await sign_up(client, "bob@example.com", longest + "a")

    assert answer.status_code == 422
    assert [item["field"] for item in answer.json()["errors"]] == ["password"]


async def test_a_password_is_never_altered(client: AsyncClient) -> None:
    typed = "  Tangerine Lighthouse\t42 \uff21 "
    await sign_up(client, "ada@example.com", typed)

    assert (await sign_in(client, "ada@example.com", typed)).status_code == 200
    for other in (typed.strip(), typed.casefold(), typed.replace("\uff21", "A")):
        assert (await sign_in(client, "ada@example.com", other)).status_code == 400


async def test_the_operator_may_ask_for_longer_passwords_and_close_sign_up(
    settings: Settings, open_service: Open
) -> None:
    longer = await open_service(
        make_settings(settings.database_location, settings.data_dir, passwords={"minimum_length": 30})
    )
    closed = await open_service(
        make_settings(settings.database_location, settings.data_dir, accounts={"allow_registration": False})
    )

    assert (await sign_up(longer, "ada@example.com")).status_code == 422
    refused = await sign_up(closed, "ada@example.com")
    assert (refused.status_code, refused.json()["code"]) == (403, "sign-up-closed")
