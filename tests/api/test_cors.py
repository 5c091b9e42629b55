"""Which pages may call the API and read its answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx2 import AsyncClient, Response
from pydantic import ValidationError

from gatepost import Gatepost, Settings
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

ORIGIN = "https://app.example.com"
OTHER = "http://localhost:5173"
FOREIGN = [
    "https://evil.example", "null", "", "*", "http://app.example.com", "https://app.example.com:8443",
    "https://app.example.com.evil.example", "https://evilapp.example.com", "https://x.app.example.com",
    "https://example.com", "https://app.example.com/", "https://app.example.com/path", "HTTPS://APP.EXAMPLE.COM",
    "https://app.example.com@evil.example", "https://app.example.com%00.evil.example", "https://app_example.com",
    "https://app.example.com, https://evil.example", "file://", "http://localhost", "http://localhost:5174",
    "ftp://app.example.com", "https://app.example.co", "app.example.com", "//app.example.com",
]  # fmt: skip


@pytest.fixture
async def door(settings: Settings) -> AsyncIterator[AsyncClient]:
    """The door of a service that lets two origins in."""
    changed = make_settings(settings.database_location, settings.data_dir, cors_origins=[ORIGIN + "/", OTHER])
    service = Gatepost(changed)
    async with service.lifespan(), open_client(service) as client:
        yield client


async def preflight(client: AsyncClient, origin: str, method: str = "PATCH", fields: str = "") -> Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return await client.options(
        "/users/me", headers=headers | ({"Access-Control-Request-Headers": fields} if fields else {})
    )


def granted(answer: Response) -> str | None:
    """Return the origin that may read the answer; fail if cookies may come along from any other."""
    origin = answer.headers.get("access-control-allow-origin")
    assert answer.headers.get("access-control-allow-credentials") == ("true" if origin else None)
    assert origin != "*"
    return origin


@no_database_matters
async def test_j05_a_foreign_origin_reads_nothing(door: AsyncClient, subtests: pytest.Subtests) -> None:
    for origin in FOREIGN:
        with subtests.test(origin):
            refused = await preflight(door, origin)
            assert (refused.status_code, granted(refused)) == (400, None)
            for path in ("/health", "/users/me", "/nothing"):
                assert granted(await door.get(path, headers={"Origin": origin})) is None


@no_database_matters
async def test_j05_the_listed_origins_read_everything_refusals_too(door: AsyncClient) -> None:
    for origin in (ORIGIN, OTHER):
        headers = {"Origin": origin}
        answers = [
            await preflight(door, origin),
            await door.get("/health", headers=headers),
            await door.head("/health", headers=headers),
            await door.get("/users/me", headers=headers),
            await door.get("/nothing", headers=headers),
            await door.put("/users/me", headers=headers),
            await door.post("/users/", content=b"{", headers=headers | {"Content-Type": "application/json"}),
            await door.post("/users/", content=b" " * 70_000, headers=headers),
            await door.get("/health/", headers=headers | {"Host": "evil.example"}),
            await door.get("/health", headers=headers | {"A": "a" * 17_000}),
            await door.get(f"/health?{'a' * 9_000}", headers=headers),
            await door.post("/users/", headers=headers | {"Content-Encoding": "gzip"}),
        ]
        assert [answer.status_code for answer in answers] == [
            200,
            200,
            200,
            401,
            404,
            405,
            422,
            413,
            400,
            431,
            414,
            415,
        ]
        assert {granted(answer) for answer in answers} == {origin}
        assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_j05_a_crash_and_a_limit_can_be_read_too(settings: Settings) -> None:
    changed = make_settings(
        settings.database_location,
        settings.data_dir,
        cors_origins=[ORIGIN],
        rate_limits="on",
        limits={"general": 2},
    )
    service = Gatepost(changed)
    async with service.lifespan(), open_client(service) as client:
        async with service.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE users RENAME TO elsewhere")
        new = {"email": "ada@example.com", "password": PASSWORD}
        answers = [await client.post("/users/", json=new, headers={"Origin": ORIGIN}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [500, 500, 429]
    assert {granted(answer) for answer in answers} == {ORIGIN}
    exposed = {
        name.strip().lower() for name in answers[2].headers["access-control-expose-headers"].split(",")
    }
    assert exposed >= {
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "x-request-id",
        "etag",
        "idempotency-replayed",
    }


@no_database_matters
async def test_j05_a_preflight_grants_what_the_api_has_and_no_more(door: AsyncClient) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        assert (await preflight(door, ORIGIN, method)).status_code == 200, method
    for method in ("QUERY", "TRACE", "CONNECT", "patch", "BREW", "*"):
        assert (await preflight(door, ORIGIN, method)).status_code == 400, method
    wanted = "authorization,content-type,idempotency-key,if-match,x-request-id"
    assert (await preflight(door, ORIGIN, "POST", wanted)).status_code == 200
    for field in ("x-forwarded-for", "cookie", "x-evil", "*", "host"):
        assert (await preflight(door, ORIGIN, "POST", f"content-type, {field}")).status_code == 400, field


@no_database_matters
async def test_options_is_for_preflights_alone(door: AsyncClient, client: AsyncClient) -> None:
    for asked in (
        await door.options("/users/me"),
        await door.options("/users/me", headers={"Origin": ORIGIN}),
        await preflight(client, ORIGIN),
    ):
        assert_problem(asked, 405)
        assert "OPTIONS" not in asked.headers["allow"]


@no_database_matters
async def test_j09_answers_differ_by_origin_and_say_so(door: AsyncClient, client: AsyncClient) -> None:
    """A shared cache must not give one origin's answer to another, and where no origin counts it may."""
    for path in ("/.well-known/jwks.json", "/users/me", "/nothing", "/docs/swagger-ui.css"):
        for headers in ({}, {"Origin": ORIGIN}, {"Origin": "https://evil.example"}):
            vary = (await door.get(path, headers=headers)).headers["vary"]
            assert "origin" in vary.lower().replace(" ", "").split(","), (path, headers)
        assert "vary" not in (await client.get(path, headers={"Origin": ORIGIN})).headers


@no_database_matters
async def test_j09_no_unkeyed_input_gets_into_what_may_be_cached(client: AsyncClient) -> None:
    """V14.2.2: what may be stored is the same for everybody."""
    poison = {
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/users/me", "X-Rewrite-URL": "/users/me", "X-HTTP-Method-Override": "DELETE",
        "Forwarded": "host=evil.example;proto=gopher", "Origin": "https://evil.example", "Accept": "text/evil",
        "Accept-Language": "evil", "Cookie": "evil=1", "Range": "bytes=0-1", "Referer": "https://evil.example",
    }  # fmt: skip
    for path in ("/.well-known/jwks.json", "/docs/swagger-ui.css"):
        clean = await client.get(path)
        assert "public" in clean.headers["cache-control"]
        poisoned = await client.get(f"{path}?utm=evil", headers=poison)
        assert (poisoned.status_code, poisoned.content) == (clean.status_code, clean.content)
        assert "evil" not in str(poisoned.headers)


@pytest.mark.parametrize(
    "path", ["/users/me/x.css", "/users/me;.js", "/users/me%2f..%2fx.css", "/users/me/..;/a.png"]
)
@no_database_matters
async def test_j09_a_profile_is_not_answered_under_the_name_of_a_file(client: AsyncClient, path: str) -> None:
    """V14.2.5: cache deception."""
    answer = await client.get(path, headers={"Authorization": "Bearer a.b.c"})
    assert_problem(answer, 401, 404, 422)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "wrong", ["null", "app.example.com", "https://", "https://a.example/path", "https://u@a.example", "ftp://a.example",
              "https://a.example:x", "https://a.example?x"]
)  # fmt: skip
def test_j05_what_is_no_origin_is_no_setting(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValidationError, match="an origin is"):
        make_settings("sqlite:///x.db", tmp_path, cors_origins=[wrong])


@no_database_matters
async def test_an_origin_is_compared_as_browsers_write_it(settings: Settings) -> None:
    typed = ["HTTPS://App.Example.com:443/", "http://LOCALHOST:80"]
    changed = make_settings(settings.database_location, settings.data_dir, cors_origins=typed)
    async with open_client(Gatepost(changed)) as client:
        for origin in ("https://app.example.com", "http://localhost"):
            assert granted(await preflight(client, origin)) == origin
