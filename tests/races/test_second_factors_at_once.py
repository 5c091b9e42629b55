"""Two processes, shown one code of a second factor twenty times at once."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import SystemClock
from tests.make import Make, SignedIn
from tests.mfa.people import App, enrolled

ROOT = Path(__file__).parents[2]
STEP = timedelta(seconds=30)


@pytest.fixture
async def gatepost(settings: Settings) -> AsyncIterator[Gatepost]:
    """A service that has the time of the processes."""
    service = Gatepost(settings.model_copy(update={"run_worker": False}), clock=SystemClock())
    async with service.lifespan():
        yield service


def got_through(url: str, directory: Path, person: UUID, kind: str, code: str) -> list[int]:
    """Return how often each process got through, of ten times that it tried."""
    command = [
        sys.executable,
        "-m",
        "tests.races.showing",
        url,
        str(directory),
        str(person),
        kind,
        code,
        "10",
    ]
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        for each in both:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in both:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        return [int(each.communicate()[0]) for each in both]


@pytest.mark.parametrize("kind", ["totp", "recovery code"])
async def test_e04_e07_of_twenty_at_once_from_two_processes_one_gets_through(
    client: AsyncClient, make: Make, gatepost: Gatepost, database_url: str, tmp_path: Path, kind: str
) -> None:
    me: SignedIn = await make.signed_in()
    app: App = await enrolled(client, me, gatepost.clock.now())
    # Of the step that comes: the processes take a while to start, and it stays right meanwhile.
    code = app.code(gatepost.clock.now() + STEP) if kind == "totp" else app.recovery_codes[0]
    assert sum(got_through(database_url, tmp_path, me.person.id, kind, code)) == 1
