"""Gatepost inside a host's application: what examples/embedded shows, and what attach() promises."""

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import text

from examples.embedded.app import create_app
from gatepost import Gatepost, Settings
from gatepost.migrations import HEAD, VERSION_TABLE, SchemaMismatch, current_revision
from tests.conftest import make_settings
from tests.make import PASSWORD, Make
from tests.processes import environment, free_port

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "examples" / "embedded" / "README.md"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path, public_url="https://notes.example/auth", run_worker=False)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The example, running."""
    async with running(create_app(settings)) as app:
        yield app


@pytest.fixture
def gatepost(app: FastAPI) -> Gatepost:
    return app.state.gatepost


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[FastAPI]:
    """Run the lifespan as a server does: what it yields is the state of every request."""
    async with app.router.lifespan_context(app) as state:
        app.state.lifespan_state = state or {}
        yield app


def client_of(app: FastAPI) -> AsyncClient:
    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(app.state.lifespan_state)}, receive, send)

    return AsyncClient(transport=ASGITransport(with_state), base_url="http://notes.test")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with client_of(app) as opened:
        yield opened


async def join(client: AsyncClient, email: str, nickname: str) -> Response:
    return await client.post("/join", json={"email": email, "password": PASSWORD, "nickname": nickname})


async def signed_in(client: AsyncClient, email: str) -> dict[str, str]:
    form = {"username": email, "password": PASSWORD}
    answer = await client.post("/auth/users/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def count(gatepost: Gatepost, table: str) -> int:
    row = await gatepost.database.reads.first(text(f"SELECT count(*) FROM {table}"))
    assert row is not None
    return row[0]


# ── the example's own story ──────────────────────────────────────────────────────────────────────


async def test_joining_makes_the_account_and_the_hosts_row(client: AsyncClient, gatepost: Gatepost) -> None:
    joined = await join(client, "ada@example.com", "ada")

    assert (joined.status_code, joined.json()["nickname"]) == (200, "ada")
    headers = await signed_in(client, "ada@example.com")
    me = await client.get("/auth/users/me", headers=headers)
    assert me.json()["id"] == joined.json()["user_id"]
    assert await count(gatepost, "notes_profiles") == 1


async def test_when_the_hosts_row_is_refused_there_is_no_account(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await join(client, "ada@example.com", "ada")

    refused = await join(client, "bob@example.com", "ada")

    assert (refused.status_code, refused.json()) == (409, {"detail": "This nickname is taken."})
    assert await count(gatepost, "users") == 1
    assert await count(gatepost, "passwords") == 1
    assert await count(gatepost, "events WHERE type = 'user.registered'") == 1


async def test_when_the_account_is_refused_there_is_no_row_of_the_host(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await join(client, "ada@example.com", "ada")

    refused = await join(client, "ADA@example.com", "countess")

    assert (refused.status_code, refused.json()["detail"]) == (400, "Email already registered")
    assert refused.headers["content-type"] == "application/problem+json"
    assert await count(gatepost, "notes_profiles") == 1


async def test_notes_belong_to_whoever_gatepost_says_is_calling(client: AsyncClient) -> None:
    await join(client, "ada@example.com", "ada")
    await join(client, "bob@example.com", "bob")
    ada = await signed_in(client, "ada@example.com")
    bob = await signed_in(client, "bob@example.com")

    written = await client.post("/notes", json={"text": "an engine that weaves"}, headers=ada)

    assert written.status_code == 200
    assert (await client.get("/notes", headers=ada)).json() == [written.json()]
    assert (await client.get("/notes", headers=bob)).json() == []


async def test_everybody_who_registers_finds_a_welcome_however_often_it_is_delivered(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await client.post("/auth/users/", json={"email": "ada@example.com", "password": PASSWORD})
    await gatepost.worker.drain()
    async with gatepost.database.write() as transaction:
        await transaction.execute(
            text("UPDATE deliveries SET state = 'due', due_at = (SELECT min(at) FROM events)")
        )
    assert await gatepost.worker.drain() == 1
    assert await count(gatepost, "deliveries WHERE state = 'done'") == 1

    headers = await signed_in(client, "ada@example.com")
    notes = (await client.get("/notes", headers=headers)).json()
    assert [note["text"] for note in notes] == ["Welcome! This is your first note."]


async def test_a_welcome_for_somebody_who_has_left_is_settled(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await join(client, "ada@example.com", "ada")
    await client.delete("/auth/users/me", headers=await signed_in(client, "ada@example.com"))

    # The other one is the mail that says goodbye.
    assert await gatepost.worker.drain() == 2
    assert await count(gatepost, "deliveries WHERE state = 'done' AND consumer = 'welcome'") == 1


async def test_who_deletes_the_account_takes_the_hosts_rows_along(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await join(client, "ada@example.com", "ada")
    headers = await signed_in(client, "ada@example.com")
    await client.post("/notes", json={"text": "gone soon"}, headers=headers)

    deleted = await client.delete("/auth/users/me", headers=headers)

    assert deleted.status_code == 204
    assert [await count(gatepost, table) for table in ("notes_profiles", "notes")] == [0, 0]


async def test_the_hosts_refusal_of_bad_input_repeats_no_password(client: AsyncClient) -> None:
    refused = await client.post("/join", json={"email": "nobody", "password": PASSWORD})

    assert refused.status_code == 422
    assert {item["field"] for item in refused.json()["detail"]} == {"email", "nickname"}
    assert PASSWORD not in refused.text


# ── who is calling, in the host's routes ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "unauthenticated", 'Bearer realm="gatepost"'),
        (
            {"Authorization": "Bearer made-up"},
            "token-invalid",
            'Bearer realm="gatepost", error="invalid_token"',
        ),
    ],
    ids=["no-token", "made-up-token"],
)
async def test_a_stranger_is_told_so_by_a_problem_document(
    client: AsyncClient, headers: dict[str, str], code: str, challenge: str
) -> None:
    refused = await client.get("/notes", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (401, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == challenge


async def test_a_route_that_needs_a_permission_is_for_those_who_have_it(
    client: AsyncClient, gatepost: Gatepost
) -> None:
    await join(client, "ada@example.com", "ada")
    await Make(gatepost, client).administrator("root@example.com")

    refused = await client.get("/members", headers=await signed_in(client, "ada@example.com"))
    allowed = await client.get("/members", headers=await signed_in(client, "root@example.com"))

    assert (refused.status_code, refused.json()["code"]) == (403, "permission-missing")
    assert refused.headers["content-type"] == "application/problem+json"
    assert [member["nickname"] for member in allowed.json()] == ["ada"]


async def test_a_sign_out_counts_in_the_hosts_routes_at_once(client: AsyncClient) -> None:
    await join(client, "ada@example.com", "ada")
    headers = await signed_in(client, "ada@example.com")

    await client.post("/auth/users/logout", headers=headers)

    assert (await client.get("/notes", headers=headers)).status_code == 401


# ── mounting ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_hosts_lifespan_is_kept_and_runs_inside_ours(client: AsyncClient) -> None:
    assert (await client.get("/")).json() == {"greeting": "Write it down."}
    assert (await client.get("/auth/health/ready")).json() == {"status": "healthy"}


async def test_an_empty_embedded_database_is_migrated_before_the_host_begins(tmp_path: Path) -> None:
    app = FastAPI()
    gatepost = Gatepost(make_settings(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path))
    gatepost.attach(app, "/auth")

    async with running(app):
        assert await current_revision(gatepost.database) == HEAD


async def test_on_a_newer_schema_the_hosts_lifespan_does_not_begin(
    tmp_path: Path, sqlite_template: Path
) -> None:
    begun: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        begun.append("host")
        yield

    app = FastAPI(lifespan=lifespan)
    shutil.copy(sqlite_template, tmp_path / "newer.db")
    with closing(sqlite3.connect(tmp_path / "newer.db")) as database:
        database.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        database.commit()
    Gatepost(make_settings(f"sqlite:///{tmp_path / 'newer.db'}", tmp_path)).attach(app, "/auth")

    async def serve() -> None:
        async with running(app):
            begun.append("serving")

    with pytest.raises(SchemaMismatch, match="newer than"):
        await serve()
    assert begun == []


async def test_our_documentation_works_under_the_mount(client: AsyncClient) -> None:
    page = await client.get("/auth/docs")
    assert page.status_code == 200

    base = httpx2.URL("http://notes.test/auth/docs")
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = await client.get(base.join(link))
        assert (asset.status_code, link) == (200, link)
    start = await client.get(base.join("docs/start.js"))
    named = re.search(r'url: "([^"]+)"', start.text)
    assert named
    described = await client.get(base.join(named[1]))
    assert described.json()["info"]["title"] == "Gatepost"
    assert described.json()["servers"] == [{"url": "/auth"}]


async def test_the_hosts_documentation_shows_authorize_that_signs_in_at_ours(client: AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    (name, scheme), *others = described["components"]["securitySchemes"].items()
    assert (name, others) == ("gatepost-auth", [])
    assert described["paths"]["/notes"]["get"]["security"] == [{"gatepost-auth": []}]
    # Relative to the host's own description, wherever that is served.
    token_url = httpx2.URL("http://notes.test/openapi.json").join(scheme["flows"]["password"]["tokenUrl"])
    await join(client, "ada@example.com", "ada")
    answer = await client.post(token_url, data={"username": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 200


async def test_names_come_from_the_settings_not_from_the_request(client: AsyncClient) -> None:
    import jwt

    await join(client, "ada@example.com", "ada")
    token = (await signed_in(client, "ada@example.com"))["Authorization"].removeprefix("Bearer ")

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == ("https://notes.example/auth", "https://notes.example/auth")


async def test_the_hosts_own_errors_stay_the_hosts(client: AsyncClient) -> None:
    missing = await client.get("/nowhere")
    ours = await client.get("/auth/nowhere")

    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    assert (ours.status_code, ours.json()["code"]) == (404, "not-found")


# ── as a program ─────────────────────────────────────────────────────────────────────────────────


async def test_the_commands_of_its_readme_start_it(tmp_path: Path) -> None:
    block = re.search(r"```sh\n(.+?)```", README.read_text(), re.DOTALL)
    assert block
    port = free_port()
    assert block[1].count("8002") == 2
    # It may be run by the Python of another environment than the one in the repository.
    commands = block[1].replace("8002", str(port)).replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    commands = commands.replace("=gatepost-data/notes", f"={tmp_path}/notes")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", commands),
        cwd=ROOT,
        env=environment(tmp_path),
        start_new_session=True,
    )
    try:
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await answering(client, process)
            assert (await join(client, "ada@example.com", "ada")).status_code == 200
            headers = await signed_in(client, "ada@example.com")
            assert (await client.get("/notes", headers=headers)).status_code == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def answering(client: AsyncClient, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            await client.get("/")
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the example ended instead of serving")
