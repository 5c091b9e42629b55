"""What the contract promises of `POST /users/token` and of the tokens it gives."""

from datetime import timedelta
from typing import Any

import bcrypt
import jwt
from argon2 import PasswordHasher
from httpx2 import AsyncClient
from sqlalchemy import select

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.passwords import Passwords
from gatepost.passwords.models import Password
from tests.make import PASSWORD, Make, Person


async def claims_of(client: AsyncClient, access_token: str) -> dict[str, Any]:
    """Verify a token as another service would, with another library and our published keys."""
    keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
    key = keys[jwt.get_unverified_header(access_token)["kid"]]
    return jwt.decode(
        access_token,
        key,
        algorithms=["ES256"],
        audience="http://127.0.0.1:8000",
        issuer="http://127.0.0.1:8000",
        options={"verify_exp": False, "verify_iat": False},  # our clock stands still
    )


async def test_the_answer_is_a_bearer_token_that_no_cache_keeps(client: AsyncClient, make: Make) -> None:
    person = await make.user()

    answer = await make.sign_in(person.email, person.password)

    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 900)
    assert answer.headers["cache-control"] == "no-store"


async def test_the_tutorials_form_needs_no_grant_type(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    form = {"username": person.email, "password": person.password, "client_id": "app", "scope": ""}

    for grant in ({}, {"grant_type": ""}, {"grant_type": "password"}):
        answer = await client.post("/users/token", data={**form, **grant})
        assert answer.status_code == 200, answer.text


async def test_wrong_password_unknown_and_disabled_account_are_answered_alike(
    client: AsyncClient, make: Make
) -> None:
    person, disabled = await make.user(), await make.user()
    administrator = await make.signed_in(await make.administrator())
    await client.patch(f"/users/{disabled.id}", json={"is_active": False}, headers=administrator.headers)

    answers = [
        await make.sign_in(person.email, "not the password"),
        await make.sign_in("nobody@example.com", PASSWORD),
        await make.sign_in("not an address", PASSWORD),
        await make.sign_in(disabled.email, disabled.password),
    ]

    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["detail"] == "Incorrect credentials"
        assert answer.json()["error"] == "invalid_grant"
        assert answer.headers["cache-control"] == "no-store"
    assert len({str(answer.json() | {"instance": ""}) for answer in answers}) == 1
    assert len({str(sorted(set(answer.headers) - {"x-request-id"})) for answer in answers}) == 1


async def test_the_address_may_be_spelt_otherwise(make: Make) -> None:
    await make.user("zoë@example.com")

    assert (await make.sign_in("ZOE\u0308@Example.com", PASSWORD)).status_code == 200


INCOMPLETE = [
    ({"username": ""}, "invalid_request", "username"),
    ({"username": "ada@example.com"}, "invalid_request", "password"),
    ({"grant_type": "refresh_token"}, "invalid_request", "refresh_token"),
    ({"grant_type": "client_credentials"}, "unsupported_grant_type", "grant_type"),
]


async def test_an_incomplete_form_is_refused_by_name(client: AsyncClient) -> None:
    for form, error, field in INCOMPLETE:
        answer = await client.post("/users/token", data=form)

        assert answer.status_code == 400
        assert (answer.json()["error"], answer.json()["errors"][0]["field"]) == (error, field)


async def test_the_token_endpoint_takes_forms_only(client: AsyncClient) -> None:
    answer = await client.post("/users/token", json={"username": "ada@example.com", "password": PASSWORD})

    assert answer.status_code == 415


async def test_an_access_token_is_a_jwt_after_rfc_9068(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()

    claims = await claims_of(client, me.access_token)

    assert jwt.get_unverified_header(me.access_token)["typ"] == "at+jwt"
    assert claims.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope"}
    assert claims["sub"] == str(me.person.id)
    assert claims["exp"] - claims["iat"] == 15 * 60


async def test_an_access_token_ends_after_15_minutes(
    client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    me = await make.signed_in()
    clock.move(timedelta(minutes=14, seconds=58))
    assert (await client.get("/users/me", headers=me.headers)).status_code == 200

    clock.move(timedelta(seconds=2))

    answer = await client.get("/users/me", headers=me.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token-expired")
    assert answer.headers["www-authenticate"] == 'Bearer realm="gatepost", error="invalid_token"'


async def test_a_refresh_token_rotates(client: AsyncClient, make: Make, clock: MovableClock) -> None:
    first = await make.signed_in()
    clock.move(timedelta(minutes=20))

    second = await make.refresh(first.refresh_token)

    assert second.status_code == 200
    assert second.headers["cache-control"] == "no-store"
    assert second.json()["refresh_token"] != first.refresh_token
    headers = {"Authorization": f"Bearer {second.json()['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).json()["email"] == first.person.email
    assert (await make.refresh(second.json()["refresh_token"])).status_code == 200


async def test_a_reused_refresh_token_ends_the_family(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    other = await make.signed_in(person)
    first = await make.signed_in(person)
    second = (await make.refresh(first.refresh_token)).json()

    replayed = await make.reuse(first.refresh_token)

    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert (await make.refresh(second["refresh_token"])).status_code == 400
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).status_code == 401
    assert (await client.get("/users/me", headers=other.headers)).status_code == 200


async def test_an_unused_refresh_token_ends_after_14_days(make: Make, clock: MovableClock) -> None:
    me = await make.signed_in()
    clock.move(timedelta(days=14))

    assert (await make.refresh(me.refresh_token)).json()["error"] == "invalid_grant"


async def test_signing_out_ends_the_tokens(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    here, there = await make.signed_in(person), await make.signed_in(person)

    assert (await client.post("/users/logout", headers=here.headers)).status_code == 204

    assert (await client.get("/users/me", headers=here.headers)).status_code == 401
    assert (await make.refresh(here.refresh_token)).status_code == 400
    assert (await client.get("/users/me", headers=there.headers)).status_code == 200


CHALLENGES = [
    (None, 'Bearer realm="gatepost"'),
    ("Bearer garbage", 'Bearer realm="gatepost", error="invalid_token"'),
    ("Basic YTpi", 'Bearer realm="gatepost", error="invalid_token"'),
    ("Bearer ", 'Bearer realm="gatepost", error="invalid_token"'),
]
PROTECTED = [("GET", "/users/me"), ("PATCH", "/users/me"), ("GET", "/users/"), ("POST", "/users/logout")]


async def test_a_protected_route_asks_for_a_bearer_token(client: AsyncClient) -> None:
    for header, challenge in CHALLENGES:
        for method, path in PROTECTED:
            headers = {} if header is None else {"Authorization": header}
            answer = await client.request(method, path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge)


async def store_hash(gatepost: Gatepost, person: Person, hashed: str) -> None:
    async with gatepost.work() as work:
        await gatepost.build(Passwords, work).put(person.id, hashed, "operator")


async def stored_hash(gatepost: Gatepost, person: Person) -> str:
    row = await gatepost.database.reads.first(select(Password.hash).where(Password.user_id == person.id))
    assert row is not None
    return row.hash


async def test_a_bcrypt_hash_verifies_and_is_upgraded(gatepost: Gatepost, make: Make) -> None:
    for password in ("strongpass123", "é" * 50):
        person = await make.user()
        hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix=b"2b")).decode()
        await store_hash(gatepost, person, hashed)
        assert (await make.sign_in(person.email, "wrong" + password)).status_code == 400
        assert await stored_hash(gatepost, person) == hashed

        assert (await make.sign_in(person.email, password)).status_code == 200

        assert (await stored_hash(gatepost, person)).startswith("$argon2id$")
        assert (await make.sign_in(person.email, password)).status_code == 200
        # The new hash is of the whole password, so what bcrypt cut off counts from now on.
        assert (await make.sign_in(person.email, password + "x")).status_code == 400


async def test_an_argon2_hash_with_other_parameters_is_upgraded(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    await store_hash(gatepost, person, PasswordHasher(1, 128, 1).hash(PASSWORD))

    assert (await make.sign_in(person.email, PASSWORD)).status_code == 200

    assert "m=64,t=1" in await stored_hash(gatepost, person)


async def test_an_unreadable_hash_lets_nobody_in(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    for broken in ("", "plain", "$argon2id$v=19$m=64", "$2b$", "$2b$99$" + "a" * 53, "$2b$xx$" + "a" * 53):
        await store_hash(gatepost, person, broken)
        assert (await make.sign_in(person.email, PASSWORD)).status_code == 400, broken
