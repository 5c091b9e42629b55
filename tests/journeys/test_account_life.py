"""One person's account from sign-up to deletion, through HTTP."""

from httpx2 import AsyncClient

from tests.make import PASSWORD, Make


async def test_sign_up_sign_in_change_and_delete(client: AsyncClient, make: Make) -> None:
    created = await client.post("/users/", json={"email": "Ada@Example.com", "password": PASSWORD})
    assert created.status_code == 200
    assert created.json()["email"] == "Ada@Example.com"

    me = await make.sign_in("ada@example.COM", PASSWORD)
    assert me.status_code == 200
    headers = {"Authorization": f"Bearer {me.json()['access_token']}"}

    read = await client.get("/users/me", headers=headers)
    assert read.json() == created.json()
    changed = await client.patch(
        "/users/me", json={"name": "Ada"}, headers={**headers, "If-Match": read.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada")

    rotated = await make.refresh(me.json()["refresh_token"])
    assert rotated.status_code == 200
    assert (await make.reuse(me.json()["refresh_token"])).status_code == 400
    assert (await client.get("/users/me", headers=headers)).status_code == 401

    again = await make.sign_in("ada@example.com", PASSWORD)
    headers = {"Authorization": f"Bearer {again.json()['access_token']}"}
    assert (await client.delete("/users/me", headers=headers)).status_code == 204
    assert (await make.sign_in("ada@example.com", PASSWORD)).json()["detail"] == "Incorrect credentials"


async def test_administrator_lists_disables_and_deletes(client: AsyncClient, make: Make) -> None:
    administrator = await make.signed_in(await make.administrator())
    people = [await make.user() for _ in range(5)]
    victim = await make.signed_in(people[0])

    first = await client.get("/users/", params={"limit": 4}, headers=administrator.headers)
    assert first.status_code == 200, first.text
    rest = await client.get(
        "/users/", params={"limit": 4, "cursor": first.json()["next"]}, headers=administrator.headers
    )
    assert rest.json()["next"] is None
    listed = [item["email"] for item in first.json()["items"] + rest.json()["items"]]
    assert listed == [person.email for person in reversed(people)] + [administrator.person.email]

    path = f"/users/{people[0].id}"
    off = await client.patch(path, json={"is_active": False}, headers=administrator.headers)
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    assert (await client.get("/users/me", headers=victim.headers)).status_code == 401
    assert (await make.refresh(victim.refresh_token)).status_code == 400
    assert (await client.delete(path, headers=administrator.headers)).status_code == 204
    assert (await client.get(path, headers=administrator.headers)).status_code == 404
