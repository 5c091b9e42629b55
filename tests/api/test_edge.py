"""What every answer has, whoever gives it: headers, problem documents, methods, lengths, times."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost import Gatepost, Settings
from gatepost.core.deadline import Limit, lift_deadline
from gatepost.core.logging import make_logger
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

NEW = {"email": "ada@example.com", "password": PASSWORD}
JSON = {"Content-Type": "application/json"}


async def every_kind(client: AsyncClient, headers: dict[str, str]) -> dict[str, Response]:
    """Return an answer of every kind there is."""
    form = {"username": "ada@example.com", "password": PASSWORD}
    return {
        "sign-up": await client.post("/users/", json=NEW),
        "token": await client.post("/users/token", data=form),
        "me": await client.get("/users/me", headers=headers),
        "me, head": await client.head("/users/me", headers=headers),
        "list": await client.get("/users/", headers=headers),
        "health": await client.get("/health"),
        "ready": await client.get("/health/ready"),
        "keys": await client.get("/.well-known/jwks.json"),
        "document": await client.get("/openapi.json"),
        "docs": await client.get("/docs"),
        "script": await client.get("/docs/start.js"),
        "style": await client.get("/docs/swagger-ui.css"),
        "400": await client.post("/users/", json=NEW),
        "400 host": await client.get("/users/me", headers={"Host": "evil.example"}),
        "401": await client.get("/users/me"),
        "404": await client.get("/nothing"),
        "405": await client.put("/users/me"),
        "413": await client.post("/users/", content=b" " * 70_000, headers=JSON),
        "414": await client.get(f"/users/?q={'a' * 9_000}"),
        "415": await client.post("/users/", content=b"a=b"),
        "422": await client.post("/users/", json={}),
        "431": await client.get("/health", headers={f"X-{number}": "a" for number in range(101)}),
        "404 docs": await client.get("/docs/nothing.js"),
    }


@no_database_matters
async def test_v3_4_every_answer_has_its_security_headers(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    """V3.4.1 to V3.4.8, V3.5.8, V13.4.6, V14.3.2."""
    me = await make.signed_in(await make.administrator())
    for name, answer in (await every_kind(client, me.headers)).items():
        with subtests.test(name):
            found = answer.headers
            assert found["x-content-type-options"] == "nosniff"
            assert found["x-frame-options"] == "DENY"
            assert found["referrer-policy"] == "no-referrer"
            assert found["cross-origin-opener-policy"] == "same-origin"
            assert found["cross-origin-resource-policy"] == "same-origin"
            assert "camera=()" in found["permissions-policy"]
            policy = found["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert ("script-src 'self'" in policy) == (name == "docs")
            assert "script-src 'self' 'unsafe" not in policy
            public = name in {"keys", "style"}
            assert (
                found["cache-control"].startswith("public")
                if public
                else found["cache-control"] == "no-store"
            )
            assert not found.keys() & {"server", "x-powered-by", "via", "x-aspnet-version"}
            assert len(found.get_list("cache-control")) == len(found.get_list("x-request-id")) == 1


@no_database_matters
async def test_v4_1_1_every_answer_says_what_it_is(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in(await make.administrator())
    for name, answer in (await every_kind(client, me.headers)).items():
        if name[0].isdigit():
            assert_problem(answer, int(name[:3]))
            continue
        media = answer.headers["content-type"]
        if name in {"docs", "script", "style"}:
            assert media.startswith("text/")
            assert media.endswith("; charset=utf-8")
        else:
            assert media == "application/json"


@no_database_matters
async def test_v3_4_1_https_is_insisted_on_also_below_a_name_of_our_own(settings: Settings) -> None:
    async def said(public_url: str | None) -> set[str | None]:
        changed = make_settings(settings.database_location, settings.data_dir, public_url=public_url)
        async with open_client(Gatepost(changed)) as client:
            answers = [await client.get(path) for path in ("/health", "/nothing", "/users/me", "/docs")]
            answers.append(await client.get("/users/me", headers={"Host": "evil.example"}))
            return {answer.headers.get("strict-transport-security") for answer in answers}

    assert await said("https://auth.example.com") == {"max-age=63072000; includeSubDomains"}
    # There the other names below it are not ours to decide about.
    assert await said("https://www.example.com/auth") == {"max-age=63072000"}
    assert await said(None) == {None}


# ── methods ──────────────────────────────────────────────────────────────────────────────────────

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "BREW",
)
OUTSIDE = {
    "/docs": {"GET"},
    "/docs/start.js": {"GET"},
    "/docs/swagger-ui.css": {"GET"},
    "/openapi.json": {"GET"},
}


async def paths_and_methods(client: AsyncClient) -> dict[str, set[str]]:
    """Return every path that there is, with the methods that the document names, and HEAD beside GET."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    known = {path: {method.upper() for method in methods} for path, methods in paths.items()} | OUTSIDE
    return {path: found | ({"HEAD"} if "GET" in found else set()) for path, found in known.items()}


@no_database_matters
async def test_v4_1_4_every_path_takes_its_methods_and_names_them_for_any_other(
    client: AsyncClient, subtests: pytest.Subtests
) -> None:
    """V13.4.4 too: TRACE among them."""
    known = await paths_and_methods(client)
    assert len(known) > 10
    for path, methods in known.items():
        url = path.replace("{user_id}", "01890a5d-ac96-774b-bcce-b302099a8057")
        for method in METHODS:
            with subtests.test(f"{method} {path}"):
                answer = await client.request(method, url)
                if method in methods:
                    assert answer.status_code not in {404, 405}
                    continue
                assert answer.status_code == 405
                assert answer.headers["allow"].split(", ") == sorted(methods)
                assert answer.headers["content-type"] == "application/problem+json"


@no_database_matters
async def test_a_fixed_path_is_no_id_under_another_method(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for method in ("GET", "PATCH", "DELETE", "HEAD"):
        answer = await client.request(method, "/users/token", headers=me.headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@no_database_matters
async def test_v4_2_2_head_has_the_headers_of_get_and_no_content(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for path in (
        "/health",
        "/users/me",
        "/nothing",
        "/docs",
        "/docs/swagger-ui.css",
        "/.well-known/jwks.json",
    ):
        get = await client.get(path, headers={**me.headers, "X-Request-ID": "the-same-id"})
        head = await client.head(path, headers={**me.headers, "X-Request-ID": "the-same-id"})
        assert head.status_code == get.status_code
        assert head.headers == get.headers
        assert int(get.headers["content-length"]) == len(get.content)


@no_database_matters
async def test_v4_2_2_the_length_is_that_of_the_content(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for answer in (await every_kind(client, me.headers)).values():
        if answer.request.method != "HEAD":
            assert int(answer.headers["content-length"]) == len(answer.content)
    gone = await client.delete("/users/me", headers=me.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert gone.headers.get("content-length") in {None, "0"}


# ── the documentation ────────────────────────────────────────────────────────────────────────────


@no_database_matters
@pytest.mark.parametrize(
    ("environment", "docs", "shown"),
    [("test", None, True), ("test", False, False), ("production", None, False), ("production", True, True)],
)
async def test_v13_4_5_the_documentation_is_shown_where_it_is_wanted(
    settings: Settings, environment: str, docs: bool | None, shown: bool
) -> None:
    values: dict[str, Any] = {"environment": environment, "docs": docs, "rate_limits": "on"}
    values |= {"public_url": "https://auth.example.com", "allowed_hosts": ["gatepost.test"]}
    changed = make_settings(settings.database_location, settings.data_dir, **values)
    async with open_client(Gatepost(changed)) as client:
        for path in ("/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json"):
            answer = await client.get(path)
            assert answer.status_code == (200 if shown else 404), path
            if not shown:
                assert_problem(answer, 404)
                assert answer.json() == {**answer.json(), "code": "not-found"}
        for path in ("/redoc", "/docs/oauth2-redirect", "/docs/", "/openapi.yaml", "/swagger.json"):
            assert_problem(await client.get(path), 404)


@no_database_matters
async def test_an_operation_stands_under_one_heading(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    tags = {path: operation["tags"] for path, methods in paths.items() for operation in methods.values()}
    assert all(len(names) == 1 for names in tags.values()), tags
    assert tags["/setup"] == ["setup"]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def hurried(
    settings: Settings, seconds: float, **changed: Any
) -> AsyncGenerator[tuple[Gatepost, AsyncClient]]:
    """Yield a service whose requests may take so long, and a client of it."""
    # Without a worker: nobody else is at the database.
    options: dict[str, Any] = {"request_timeout": seconds, "run_worker": False, **changed}
    service = Gatepost(make_settings(settings.database_location, settings.data_dir, **options))
    async with service.lifespan(), open_client(service) as client:
        yield service, client


@no_database_matters
async def test_k16_a_body_that_does_not_come_is_not_waited_for(settings: Settings) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with hurried(settings, 0.1) as (_, client):
        for path, kind in (
            ("/users/", "application/json"),
            ("/users/token", "application/x-www-form-urlencoded"),
        ):
            for length in ({}, {"Content-Length": "100"}):
                headers = {"Content-Type": kind, **length}
                answer = await client.post(path, content=dripping(), headers=headers)
                assert_problem(answer, 408)
                assert answer.headers["connection"] == "close"


@no_database_matters
async def test_k16_waiting_for_a_body_holds_no_connection_and_no_lock(settings: Settings) -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield json.dumps(NEW).encode()[:20]
        asked.set()
        await let_go.wait()
        yield json.dumps(NEW).encode()[20:]

    async with hurried(settings, 60) as (service, client):
        waiting = asyncio.create_task(client.post("/users/", content=slow(), headers=JSON))
        await asked.wait()
        assert service.database.engine.pool.checkedout() == 0  # ty: ignore[missing-attribute]
        assert (await client.post("/users/", json={**NEW, "email": "bob@example.com"})).status_code == 200
        let_go.set()
        assert (await waiting).status_code == 200


@asynccontextmanager
async def users_locked(settings: Settings) -> AsyncGenerator[None]:
    """Hold a lock, as another program would, that no sign-up gets past."""
    url = make_url(settings.database_location)
    server = url.get_backend_name() == "postgresql"
    engine = create_async_engine(url if server else url.set(drivername="sqlite+aiosqlite"))
    try:
        async with engine.connect() as connection:
            await connection.execute(text("LOCK TABLE users" if server else "BEGIN IMMEDIATE"))
            yield
    finally:
        await engine.dispose()


async def open_transactions(service: Gatepost) -> int:
    """Return how many transactions on the service's database are open, and idle."""
    row = await service.database.reads.first(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'"
        )
    )
    assert row is not None
    return row[0]


async def test_k19_a_request_that_takes_too_long_is_undone_and_leaves_nothing(settings: Settings) -> None:
    options = {"lock_timeout": 1, "statement_timeout": 1}
    async with hurried(settings, 0.3, database=options) as (service, client):
        async with users_locked(settings):
            answer = await client.post("/users/", json=NEW)

        assert_problem(answer, 503)
        assert answer.json()["code"] == "timed-out"
        assert int(answer.headers["retry-after"]) >= 1
        assert service.database.engine.pool.checkedout() == 0  # ty: ignore[missing-attribute]
        async with asyncio.timeout(10):
            # The connection was cut, so the server notices by itself.
            while not service.database.is_sqlite and await open_transactions(service):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await client.post("/users/", json=NEW)).status_code == 200


# What makes a commit take longer than the request may.
LINGERING = (
    """CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN PERFORM pg_sleep(1.3); RETURN NULL; END'""",
    """CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION linger()""",
)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_commit_that_has_begun_is_not_cut_off(settings: Settings) -> None:
    """Else a client would be told that what it asked for had failed, and find it done."""
    async with hurried(settings, 1.0) as (service, client):
        async with service.database.engine.begin() as connection:
            for statement in LINGERING:
                await connection.exec_driver_sql(statement)

        answer = await client.post("/users/", json=NEW)

        assert answer.status_code == 200, answer.text
        assert (await client.post("/users/", json=NEW)).json()["code"] == "email-taken"


async def test_a_deadline_passes_unless_it_is_lifted() -> None:
    limit = Limit(0.01)
    with pytest.raises(TimeoutError):
        async with limit:
            await asyncio.Event().wait()
    assert limit.passed

    lifted, moment = Limit(0.01), asyncio.Event()
    async with lifted:
        lift_deadline()
        asyncio.get_running_loop().call_later(0.05, moment.set)
        await moment.wait()
    assert not lifted.passed
    lift_deadline()  # outside any request: a command, a worker


@no_database_matters
async def test_somebody_elses_time_limit_is_a_fault_and_no_deadline(
    settings: Settings, monkeypatch: Any
) -> None:
    said = io.StringIO()
    service = Gatepost(settings, log=make_logger("json", "error", said))
    monkeypatch.setattr(type(service.keys), "jwks", _too_slow)
    async with open_client(service) as client:
        answer = await client.get("/.well-known/jwks.json")

    assert_problem(answer, 500)
    assert "request.crashed" in said.getvalue()


async def _too_slow(_keys: Any) -> Any:
    raise TimeoutError
