"""Create, read, list, update and delete: for oneself, and with permission for others."""

from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from gatepost.accounts import Setup
from tests.make import PASSWORD, Make


async def test_me_is_what_sign_up_answered(client: AsyncClient, make: Make) -> None:
    created = await client.post(
        "/users/", json={"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
    )
    token = (await make.sign_in("ada@example.com", PASSWORD)).json()["access_token"]

    me = await client.get("/users/me", headers={"Authorization": f"bearer {token}"})

    assert me.json() == created.json()
    assert me.headers["etag"] == created.headers["etag"]


async def test_one_reads_changes_and_deletes_oneself_by_id_as_by_me(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    path = f"/users/{me.person.id}"

    assert (await client.get(path, headers=me.headers)).json()["email"] == me.person.email
    changed = await client.patch(path, json={"name": "Ada"}, headers=me.headers)
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada")
    assert (await client.get("/users/me", headers=me.headers)).json() == changed.json()
    assert (await client.delete(path, headers=me.headers)).status_code == 204
    assert (await client.get("/users/me", headers=me.headers)).status_code == 401
    assert (await make.sign_in(me.person.email, PASSWORD)).status_code == 400


async def test_others_are_out_of_reach_without_permission(client: AsyncClient, make: Make) -> None:
    me, other = await make.signed_in(), await make.user()
    path = f"/users/{other.id}"

    answers = [
        await client.get("/users/", headers=me.headers),
        await client.get(path, headers=me.headers),
        await client.patch(path, json={"name": "Eve"}, headers=me.headers),
        await client.delete(path, headers=me.headers),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "permission-missing")
    ] * 4
    assert answers[2].json()["required"] == "users:write"
    assert (await make.sign_in(other.email, other.password)).status_code == 200


async def test_whether_another_exists_shows_only_with_permission(client: AsyncClient, make: Make) -> None:
    me, administrator = await make.signed_in(), await make.signed_in(await make.administrator())

    assert (await client.get(f"/users/{uuid4()}", headers=me.headers)).status_code == 403
    assert (await client.get(f"/users/{uuid4()}", headers=administrator.headers)).status_code == 404


async def test_an_administrator_reads_lists_changes_and_deletes_others(
    client: AsyncClient, make: Make
) -> None:
    administrator, other = await make.signed_in(await make.administrator()), await make.user()
    path = f"/users/{other.id}"

    read = await client.get(path, headers=administrator.headers)
    assert read.json()["email"] == other.email
    listed = await client.get("/users/", params={"email": other.email.upper()}, headers=administrator.headers)
    assert listed.json() == {"items": [read.json()], "next": None}
    change = {"name": "Bob", "email": "bob@example.com", "password": "another-good-one-77"}
    changed = await client.patch(path, json=change, headers=administrator.headers)
    assert (changed.json()["name"], changed.json()["email"]) == ("Bob", "bob@example.com")
    assert (await make.sign_in("bob@example.com", "another-good-one-77")).status_code == 200
    assert (await client.delete(path, headers=administrator.headers)).status_code == 204
    assert (await client.delete(path, headers=administrator.headers)).status_code == 404


async def test_a_stale_version_is_refused(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    seen = (await client.get("/users/me", headers=me.headers)).headers["etag"]
    await client.patch("/users/me", json={"name": "Ada"}, headers={**me.headers, "If-Match": seen})

    for method, body in (("PATCH", {"name": "Eve"}), ("DELETE", None)):
        answer = await client.request(
            method, "/users/me", json=body, headers={**me.headers, "If-Match": seen}
        )
        assert (answer.status_code, answer.json()["code"]) == (412, "stale-version")

    assert (await client.get("/users/me", headers=me.headers)).json()["name"] == "Ada"


async def test_a_refused_change_leaves_nothing_behind(client: AsyncClient, make: Make) -> None:
    me, other = await make.signed_in(), await make.user()
    before = await client.get("/users/me", headers=me.headers)

    answer = await client.patch(
        "/users/me", json={"name": "Changed", "email": other.email.upper()}, headers=me.headers
    )

    assert (answer.status_code, answer.json()["detail"]) == (400, "Email already registered")
    after = await client.get("/users/me", headers=me.headers)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


async def test_the_first_administrator_comes_by_the_setup_code(client: AsyncClient, setup_code: str) -> None:
    new = {"code": setup_code, "email": "root@example.com", "password": PASSWORD}
    created = await client.post("/setup", json=new)
    assert created.status_code == 200, created.text

    again = await client.post("/setup", json={**new, "email": "eve@example.com"})

    assert (again.status_code, again.json()["code"]) == (403, "setup-refused")
    form = {"username": "root@example.com", "password": PASSWORD}
    token = (await client.post("/users/token", data=form)).json()["access_token"]
    listed = await client.get("/users/", headers={"Authorization": f"Bearer {token}"})
    assert [item["email"] for item in listed.json()["items"]] == ["root@example.com"]


async def test_no_answer_holds_a_secret(client: AsyncClient, make: Make) -> None:
    administrator, me = await make.signed_in(await make.administrator()), await make.signed_in()
    own = await client.get(f"/users/{me.person.id}", headers=me.headers)
    etag = {"If-Match": own.headers["etag"]}

    texts = [
        own.text,
        (await client.post("/users/", json={"email": "x@example.com", "password": PASSWORD})).text,
        (await client.post("/users/", json={"email": 7, "password": PASSWORD, "hash": PASSWORD})).text,
        (await client.get("/users/", headers=administrator.headers)).text,
        (await client.get("/users/me", headers=me.headers)).text,
        (await client.patch("/users/me", json={"name": "A"}, headers={**me.headers, **etag})).text,
        (await make.sign_in(me.person.email, "x" + PASSWORD)).text,
        (await make.refresh(me.refresh_token[:-1] + "!")).text,
        (await client.get("/.well-known/jwks.json")).text,
    ]

    for text in texts:
        for secret in (PASSWORD, "hashed_password", "$argon2", me.refresh_token[:-1], me.access_token, '"d"'):
            assert secret not in text


@pytest.fixture
async def setup_code(gatepost: Gatepost) -> str:
    async with gatepost.work() as work:
        code = await gatepost.build(Setup, work).new_code()
    assert code is not None
    return code
