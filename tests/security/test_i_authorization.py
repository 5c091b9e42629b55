"""Attacks on who may do what: routes without a guard, foreign ids, forged cursors, races for one address."""

import asyncio
import base64
import json
from collections import Counter

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost, Settings
from gatepost.core.events import EventRow
from gatepost.core.ids import new_id
from gatepost.core.paging import Cursors
from gatepost.core.secrets import KeyRing, new_secret_key
from gatepost.login import WAYS
from gatepost.users import User
from tests.make import PASSWORD, Make
from tests.security.doors import BEHIND_DOORS
from tests.security.expect import assert_challenged, assert_problem, named_fields
from tests.security.operations import JSON, no_database_matters, operations, with_body

CREDENTIALS = {
    "none": {},
    "empty": {"Authorization": ""},
    "scheme only": {"Authorization": "Bearer"},
    "blank token": {"Authorization": "Bearer   "},
    "garbage": {"Authorization": "Bearer garbage"},
    "dots": {"Authorization": "Bearer .." + "." * 3000},
    "basic": {"Authorization": "Basic YWRhQGV4YW1wbGUuY29tOnB3"},
    "two tokens": {"Authorization": "Bearer a.b.c, Bearer a.b.c"},
    "unknown scheme": {"Authorization": "Token abc"},
    "control characters": {"Authorization": "Bearer \x01\x7f\t"},
    "token in another header": {"X-Access-Token": "a.b.c", "Cookie": "access_token=a.b.c"},
}


@no_database_matters
async def test_every_operation_needs_a_token_unless_it_is_listed_as_public(
    client: AsyncClient, subtests: pytest.Subtests
) -> None:
    for name, headers in CREDENTIALS.items():
        with subtests.test(name):
            for each in await operations(client):
                if each.is_public:
                    assert not each.secured, each
                    continue
                assert each.secured, each
                assert_challenged(await each.call(client, headers=headers))


@no_database_matters
async def test_bytes_beyond_ascii_in_the_credential_are_refused(client: AsyncClient) -> None:
    for each in await operations(client):
        if not each.is_public:
            answer = await client.request(
                each.method.upper(),
                each.path.replace("{user_id}", str(new_id())),
                headers=[(b"authorization", b"Bearer \xff\xfe\xe2\x80\xa8")],
                json=each.valid_body() if each.media else None,
            )
            assert_challenged(answer)


@no_database_matters
async def test_another_spelling_of_a_guarded_path_does_not_pass_the_guard(
    client: AsyncClient, make: Make
) -> None:
    person = await make.user()
    spellings = ("//users/me", "/users//me", "/users/./me", "/users/me/", "/users/me;a=b", "/USERS/ME")
    spellings += (
        "/users/%6de",
        "/users%2fme",
        "/users/me%00",
        "/users/me%20",
        "/users/../users/me",
        "/users",
    )
    spellings += (
        f"/users/{str(person.id).upper()}",
        f"/users/urn:uuid:{person.id}",
        f"/users/{{{person.id}}}",
    )
    for path in spellings:
        answer = await client.get(path)
        assert_problem(answer, 401, 404, 405, 422)
        assert person.email not in answer.text


@no_database_matters
async def test_i11_an_odd_path_reaches_no_other_route_than_its_own(client: AsyncClient, make: Make) -> None:
    """A line feed at the end fits a pattern that ends in `$`; a path that fits is still guarded."""
    person = await make.signed_in()
    for path in (
        "/users/me%0a",
        "/users/%0ame",
        "/users/me%0d%0a",
        "/health%0a",
        "/users/me%3b",
        "/users/me%23",
    ):
        for method in ("GET", "PATCH", "DELETE", "HEAD"):
            answer = await client.request(method, path)
            assert answer.status_code in {200, 401, 404, 405, 422}, path
            assert answer.status_code != 200 or path.startswith("/health")
    assert (await client.get("/users/me", headers=person.headers)).status_code == 200


@no_database_matters
async def test_i12_the_path_that_counts_is_the_servers_and_not_the_hosts(
    client: AsyncClient, make: Make
) -> None:
    """Starlette built `request.url` from the Host header: a path in it hid the one that was asked for."""
    me = await make.signed_in()
    for host in (
        "gatepost.test/health?",
        "gatepost.test/docs#",
        "gatepost.test/.well-known/jwks.json?",
        "a/evil?",
        "a#",
    ):
        for path in ("/users/me", "/users/", "/health", "/nothing"):
            for headers in ({}, me.headers):
                answer = await client.get(path, headers={**headers, "Host": host})
                if path == "/health":
                    assert answer.json() == {"status": "healthy"}
                else:
                    assert_problem(answer, 400)
                    assert answer.json()["code"] == "host-unknown"


SMUGGLED = {
    "a forwarded address": {"X_Forwarded_For": "203.0.113.9", "X_Real_IP": "203.0.113.9", "FORWARDED_": "for=a"},
    "a credential": {"Authorization_": "{bearer}", "X_Authorization": "{bearer}", "Proxy-Authorization": "{bearer}"},
    "an identity": {"X-User-Id": "{id}", "X_User": "{id}", "Remote-User": "{id}", "X-Forwarded-User": "{id}",
                    "X-Forwarded-Email": "{email}", "X-Auth-Request-Email": "{email}", "X_Remote_User": "{id}"},
    "a role": {"X-Roles": "admin", "X_Roles": "admin", "X-Scope": "users:read", "X-Permissions": "users:read"},
    "another path": {"X-Original-URL": "/health", "X-Rewrite-URL": "/health", "X_Original_URL": "/health"},
    "another method": {"X-HTTP-Method-Override": "OPTIONS", "X-Method-Override": "HEAD", "X_HTTP_Method": "OPTIONS"},
    "a hop": {"Connection": "authorization, x-request-id, host", "Keep-Alive": "authorization", "TE": "trailers"},
    "a certificate": {"X-Client-Cert": "{id}", "X-SSL-Client-Verify": "SUCCESS", "SSL_CLIENT_VERIFY": "SUCCESS"},
    "a probe": {"User-Agent": "kube-probe/1.31", "X-Health-Check": "1"},
}  # fmt: skip


@no_database_matters
async def test_i14_a_field_in_disguise_is_nobody(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    """V4.1.3: underscores for hyphens, hop-by-hop fields, and names that other proxies believe."""
    administrator = await make.signed_in(await make.administrator())
    person = administrator.person
    values = {"bearer": administrator.headers["Authorization"], "id": person.id, "email": person.email}
    for name, fields in SMUGGLED.items():
        with subtests.test(name):
            headers = {field: value.format(**values) for field, value in fields.items()}
            for path in ("/users/me", "/users/", f"/users/{person.id}"):
                assert_challenged(await client.get(path, headers=headers))
                assert_challenged(await client.delete("/users/me", headers=headers))


@no_database_matters
async def test_i14_a_hop_cannot_take_a_field_away(client: AsyncClient, make: Make) -> None:
    """A `Connection` that lists a field must not make us forget what it says: here, who is refused."""
    me = await make.signed_in()
    stale = {"If-Match": '"99"', "Connection": "if-match", "X-Request-ID": "the-same-id"}
    answer = await client.patch("/users/me", json={"name": "Eve"}, headers={**me.headers, **stale})
    assert_problem(answer, 412)
    assert answer.json()["instance"] == "the-same-id"


async def test_i14_what_is_stored_of_a_caller_is_the_connections(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    headers = {
        "X_Forwarded_For": "203.0.113.9",
        "X-Forwarded-For": "203.0.113.9",
        "X_Request_ID": "forged-id-1",
    }
    answer = await client.post(
        "/users/", json={"email": "a@example.com", "password": PASSWORD}, headers=headers
    )
    assert answer.headers["x-request-id"] != "forged-id-1"
    rows = await gatepost.database.reads.rows(select(EventRow.address, EventRow.request_id))
    assert {(row.address, row.request_id) for row in rows if row.request_id} == {
        ("127.0.0.1", answer.headers["x-request-id"])
    }


async def test_a_person_without_permission_reaches_nobody_else(client: AsyncClient, make: Make) -> None:
    victim = await make.user()
    stranger = await make.signed_in()
    for each in await operations(client):
        if "{user_id}" not in each.path and (each.method, each.path) != ("get", "/users/"):
            continue
        answer = await each.call(client, headers=stranger.headers, user_id=victim.id)
        assert_problem(answer, 403)
        assert victim.email not in answer.text
    assert (await make.sign_in(victim.email, PASSWORD)).status_code == 200


async def test_i05_foreign_ids_and_powers_in_a_body_are_refused(client: AsyncClient, make: Make) -> None:
    victim = await make.user()
    me = await make.signed_in()
    smuggled = {
        "id": str(victim.id),
        "user_id": str(victim.id),
        "userId": str(victim.id),
        "subject": str(victim.id),
        "session_id": str(victim.id),
        "roles": ["admin"],
        "role": "admin",
        "permissions": ["users:write"],
        "is_superuser": True,
        "hash": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA",
        "hashed_password": "x",
        "email_canonical": victim.email,
        "created_at": "2020-01-01T00:00:00Z",
        "version": 1,
        "__proto__": {},
    }
    for each in await with_body(client, JSON):
        for name, value in smuggled.items():
            if name in each.fields:
                continue
            body = {**each.valid_body(), name: value}
            answer = await each.call(client, headers=me.headers, body=body, user_id=me.person.id)
            assert_problem(answer, 422)
            assert named_fields(answer) == {name}


async def test_i05_the_token_form_takes_no_subject_and_no_lifetime(client: AsyncClient, make: Make) -> None:
    victim, me = await make.user(), await make.user()
    form = {"username": me.email, "password": PASSWORD, "sub": str(victim.id), "user_id": str(victim.id)}
    form |= {"client_id": "other", "expires_in": "999999", "session_id": str(victim.id)}

    answer = await client.post("/users/token", data=form)

    assert answer.json()["expires_in"] == 900
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get("/users/me", headers=headers)).json()["id"] == str(me.id)


async def test_i05_nobody_enables_or_promotes_himself(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for path in ("/users/me", f"/users/{me.person.id}"):
        assert_problem(await client.patch(path, json={"is_active": True}, headers=me.headers), 403)
    assert_problem(await client.get("/users/", headers=me.headers), 403)


async def test_i15_a_forged_cursor_is_refused(client: AsyncClient, make: Make, settings: Settings) -> None:
    administrator = await make.signed_in(await make.administrator())
    foreign = Cursors(KeyRing([new_secret_key()]).derive("cursors"))
    no_listing = Cursors(KeyRing(settings.key_ring()).derive("cursors"))
    other_purpose = Cursors(KeyRing(settings.key_ring()).derive("other"))
    positions = [
        ["2020-01-01T00:00:00+00:00", str(new_id())],
        ["'; DROP TABLE users; --", "' OR 1=1 --"],
        ["2020-01-01' UNION SELECT hash FROM passwords --", ""],
        [],
    ]
    forged = [
        cursors.make(place, {}) for cursors in (foreign, no_listing, other_purpose) for place in positions
    ]
    forged += [base64.urlsafe_b64encode(json.dumps(place).encode()).decode() for place in positions]
    forged += ["' OR '1'='1", "0", "-1", "null", "A", "A" * 22, "A" * 1000, "é", "%00", "=", "AAAA====", " "]
    for cursor in forged:
        answer = await client.get("/users/", params={"cursor": cursor}, headers=administrator.headers)
        assert_problem(answer, 422)
        assert answer.json()["code"] == "cursor-invalid", cursor
        assert named_fields(answer) == {"query.cursor"}


async def test_i15_a_cursor_serves_only_the_list_that_gave_it_out(client: AsyncClient, make: Make) -> None:
    people = [await make.user() for _ in range(3)]
    administrator = await make.signed_in(await make.administrator())

    async def page(**wanted: str | int) -> dict[str, object]:
        return (await client.get("/users/", params=wanted, headers=administrator.headers)).json()

    newest = str((await page(limit=1))["next"])
    searched = str((await page(limit=1, q="person"))["next"])
    for cursor, wanted in (
        (newest, {"q": "person"}),
        (newest, {"is_active": "true"}),
        (newest, {"created_after": "2020-01-01T00:00:00Z"}),
        (newest, {"email": people[0].email}),
        (searched, {}),
        (searched, {"q": "perso"}),
    ):
        params = {**wanted, "cursor": cursor}
        assert_problem(await client.get("/users/", params=params, headers=administrator.headers), 422)
    assert "items" in await page(limit=2, cursor=newest)


async def test_i15_a_cursor_of_another_service_is_refused(
    client: AsyncClient, make: Make, gatepost: Gatepost, settings: Settings
) -> None:
    for _ in range(2):
        await make.user()
    administrator = await make.signed_in(await make.administrator())
    given = (await client.get("/users/", params={"limit": 1}, headers=administrator.headers)).json()["next"]
    raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
    place = json.loads(raw[16:])
    listing = {"email": None, "is_active": None, "created_after": None, "created_before": None, "q": None}
    ours = Cursors(KeyRing(settings.key_ring()).derive("cursors")).make(place, listing)
    foreign = Cursors(KeyRing([new_secret_key()]).derive("cursors")).make(place, listing)

    assert ours == given
    answer = await client.get("/users/", params={"cursor": foreign}, headers=administrator.headers)
    assert_problem(answer, 422)


SPELLINGS = (
    "Kim.Ada@example.com",
    "kim.ada@example.com",
    "KIM.ADA@EXAMPLE.COM",
    "\u212aim.Ada@example.com",
    "\uff4b\uff49\uff4d.ada@example.com",
    "kim.ada@\uff25xample.com",
    "kim.ada@example\u3002com",
)


async def test_i17_of_fifty_sign_ups_at_once_in_any_spelling_one_succeeds(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    emails = [SPELLINGS[number % len(SPELLINGS)] for number in range(50)]
    together = asyncio.Barrier(50)

    async def sign_up(email: str) -> tuple[int, str | None]:
        await together.wait()
        answer = await client.post("/users/", json={"email": email, "password": PASSWORD})
        return answer.status_code, answer.json().get("detail")

    answers = Counter(await asyncio.gather(*map(sign_up, emails)))

    assert answers == {(200, None): 1, (400, "Email already registered"): 49}
    count = await gatepost.database.reads.first(select(func.count()).select_from(User))
    assert count == (1,)


@no_database_matters
async def test_every_operation_that_sets_a_password_is_among_the_doors(client: AsyncClient) -> None:
    setting = {
        (each.method, each.path) for each in await with_body(client, JSON) if "password" in each.fields
    }
    # Those at which people show a password that they have.
    showing = {(way.method.lower(), way.path) for way in WAYS} | {("post", "/email/verify")}
    assert setting - showing == BEHIND_DOORS
