"""The entry point for Vercel: laid out as a project there is, on PostgreSQL, without an environment of ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SECRET

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
# What a platform does with it: import the module, run the lifespan of `app`, pass requests on.
ASK = """
import asyncio
from httpx2 import ASGITransport, AsyncClient
from api.index import app

async def main():
    messages = asyncio.Queue()
    said = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "state": {}}, messages.get, said.put))
    await messages.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    async with AsyncClient(transport=ASGITransport(app=app), base_url="https://auth.example.com") as client:
        person = {"email": "ada@example.com", "password": "tangerine-lighthouse-42"}
        print((await client.post("/users/", json=person)).status_code)
    await messages.put({"type": "lifespan.shutdown"})
    await running

asyncio.run(main())
"""


def project(directory: Path) -> Path:
    """Lay the project out as docs/deploy.md says."""
    shutil.copytree(ROOT / "deploy" / "vercel", directory, dirs_exist_ok=True)
    (directory / "src").symlink_to(ROOT / "src")
    return directory


def ask(directory: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "GATEPOST_ENVIRONMENT": "test",
        "GATEPOST_SECRET_KEY": SECRET,
        "GATEPOST_PUBLIC_URL": "https://auth.example.com",
        "GATEPOST_DATABASE_URL": database_url,
        "GATEPOST_DATABASE__POOL_SIZE": "2",
        "GATEPOST_HASHING__MEMORY_KIB": "64",
    }
    return subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=project(directory),
        env={"PATH": os.environ["PATH"]} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_entry_point_serves_on_postgresql_and_refuses_a_file(database_url: str, tmp_path: Path) -> None:
    done = ask(tmp_path / "project", database_url)
    if database_url.startswith("sqlite"):
        assert "must name a PostgreSQL database" in done.stderr
        assert done.returncode == 1
    else:
        assert done.stdout == "200\n", done.stderr
