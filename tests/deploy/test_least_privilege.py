"""The roles of PostgreSQL and the user of Redis that deploy/ makes suffice to serve, and for nothing else."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import make_url

from gatepost import Gatepost
from tests.conftest import make_settings, open_client
from tests.processes import free_port, run
from tests.services import POSTGRES_URL, missing_reason

DEPLOY = Path(__file__).parents[2] / "deploy"
PERSON = {"email": "ada@example.com", "password": "tangerine-lighthouse-42"}


def psql() -> str:
    found = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin/psql")]
    return max(found, default="") or shutil.which("psql") or pytest.skip("no psql on this machine")


@pytest.fixture
def roles() -> Iterator[dict[str, str]]:
    """The URLs of both roles, made by roles.sql in the run's own PostgreSQL."""
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    server = make_url(os.environ[POSTGRES_URL]).set(drivername="postgresql")

    def tell(*arguments: str) -> None:
        command = [psql(), "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", *arguments]
        subprocess.run([*command, str(server)], check=True, capture_output=True, timeout=60)

    passwords = {"gatepost_owner": "quiet-harbour-71", "gatepost": "loud-meadow-93"}
    names = {"owner_password": passwords["gatepost_owner"], "service_password": passwords["gatepost"]}
    variables = [word for name, value in names.items() for word in ("-v", f"{name}={value}")]
    try:
        tell(*variables, "--file", str(DEPLOY / "postgres" / "roles.sql"))
        yield {
            role: server.set(username=role, password=password, database="gatepost").render_as_string(
                hide_password=False
            )
            for role, password in passwords.items()
        }
    finally:
        tell("-c", "DROP DATABASE IF EXISTS gatepost WITH (FORCE)")
        tell("-c", "DROP ROLE IF EXISTS gatepost", "-c", "DROP ROLE IF EXISTS gatepost_owner")


async def test_v13_2_2_the_services_role_serves_and_can_do_nothing_else(
    roles: dict[str, str], tmp_path: Path
) -> None:
    done = await asyncio.to_thread(
        run, tmp_path, "db", "upgrade", settings={"GATEPOST_DATABASE_URL": roles["gatepost_owner"]}
    )
    assert done.returncode == 0, done.stderr
    settings = make_settings(
        roles["gatepost"], tmp_path, environment="production", public_url="https://gatepost.test"
    )
    gatepost = Gatepost(settings)
    async with gatepost.lifespan(), open_client(gatepost) as client:
        assert (await client.post("/users/", json=PERSON)).status_code == 200
        form = {"username": PERSON["email"], "password": PERSON["password"]}
        assert (await client.post("/users/token", data=form)).status_code == 200

    connection = await asyncpg.connect(roles["gatepost"])
    try:
        for statement in (
            "CREATE TABLE planted (id int)",
            "DROP TABLE users",
            "ALTER TABLE users ADD planted int",
            "TRUNCATE users",
            "CREATE ROLE planted",
            "CREATE SCHEMA planted",
            "SELECT * FROM pg_authid",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY users TO PROGRAM 'true'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The URLs of a Redis with the users of make-secrets.sh: the service's own, and one more to look with."""
    program = shutil.which("redis-server") or pytest.skip("no Redis on this machine")
    shutil.copy(DEPLOY / "compose" / "make-secrets.sh", tmp_path)
    subprocess.run(["sh", tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    secrets = tmp_path / "secrets"
    users = tmp_path / "users.acl"
    users.write_text((secrets / "redis_users").read_text() + "user looker on >plain ~* &* +@all\n")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--aclfile", str(users)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, cwd=tmp_path)
    own = (secrets / "redis_url").read_text().replace("@redis:6379", f"@127.0.0.1:{port}")
    urls = {
        "service": own,
        "looker": f"redis://looker:plain@127.0.0.1:{port}/0",
        "nobody": f"redis://127.0.0.1:{port}/0",
    }
    try:
        yield urls
    finally:
        process.terminate()
        process.wait(20)


async def until_it_answers(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            client: Any = Redis.from_url(url)
            try:
                await client.ping()
                return
            except (ConnectionError, RedisConnectionError):
                await asyncio.sleep(0.02)
            finally:
                await client.aclose()


async def test_v13_2_1_nobody_uses_redis_without_a_name(redis: dict[str, str]) -> None:
    await until_it_answers(redis["looker"])
    client: Any = Redis.from_url(redis["nobody"])
    with pytest.raises(AuthenticationError):
        await client.ping()
    await client.aclose()


async def test_v13_2_1_the_services_redis_user_suffices_and_reads_nothing_else(
    redis: dict[str, str], sqlite_template: Path, tmp_path: Path
) -> None:
    await until_it_answers(redis["looker"])
    shutil.copy(sqlite_template, tmp_path / "gatepost.db")
    settings = make_settings(
        f"sqlite:///{tmp_path / 'gatepost.db'}", tmp_path, redis_url=redis["service"], rate_limits="on"
    )
    gatepost = Gatepost(settings)
    async with gatepost.lifespan(), open_client(gatepost) as client:
        assert (await client.post("/users/", json=PERSON)).status_code == 200

    looker: Any = Redis.from_url(redis["looker"], decode_responses=True)
    own: Any = Redis.from_url(redis["service"])
    try:
        keys = await looker.keys("*")
        assert keys
        assert all(key.startswith("gatepost:") for key in keys)
        assert await looker.acl_log() == []
        for act in (own.get("planted"), own.flushall(), own.config_get("*"), own.keys("*")):
            with pytest.raises(NoPermissionError):
                await act
    finally:
        await looker.aclose()
        await own.aclose()
