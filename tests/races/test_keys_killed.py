"""kill -9 amid rotating, revoking and resealing: the ring works afterwards, and what was begun can be ended."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from gatepost import Gatepost
from gatepost.core.database import Database
from gatepost.core.idempotency import IdempotencyKey
from gatepost.core.ids import new_id
from gatepost.core.secrets import KeyRing
from gatepost.tokens import SigningKey
from tests.conftest import SECRET, make_settings
from tests.ledger import opened
from tests.processes import begin, run
from tests.races.conftest import ISSUER

OTHER = "u6eAs4fPg8dJm5cHn2bXy7rLw9qTv3kZ"
MOVED = {"GATEPOST_SECRET_KEY": OTHER, "GATEPOST_PREVIOUS_SECRET_KEYS": SECRET}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEALED = 400


def begun(directory: Path, url: str, *arguments: str, **more: str) -> Any:
    return begin(directory, *arguments, settings={**ISSUER, "GATEPOST_DATABASE_URL": url, **more})


def kill(process: Any) -> None:
    process.kill()
    process.wait()


@asynccontextmanager
async def service(url: str, directory: Path, **changed: Any) -> AsyncGenerator[Gatepost]:
    public_url = ISSUER["GATEPOST_PUBLIC_URL"]
    started = Gatepost(make_settings(url, directory, public_url=public_url, **changed))
    async with started.lifespan():
        yield started


async def rows(url: str) -> list[Any]:
    async with opened(url) as database:
        return [*await database.reads.rows(select(SigningKey.__table__))]


async def the_ring_works(url: str, directory: Path, tokens: list[str]) -> None:
    """One key signs, at most one is next, what was signed verifies, and the next rotation comes to its end."""
    found = await rows(url)
    assert [row.is_current for row in found].count(True) == 1
    assert [row.is_next for row in found].count(True) <= 1
    assert all(row.kept_until for row in found if not (row.is_current or row.is_next))
    async with service(url, directory) as started:
        token = await started.access_tokens.issue(
            new_id(), new_id(), "x", "account", NOW + timedelta(days=9999)
        )
        tokens.append(token)
        for each in tokens:
            await started.access_tokens.verify(each)
        recorded = await started.database.reads.rows(
            text("SELECT type FROM events WHERE type LIKE 'signing_key.%'")
        )
    # Each change is recorded with it, or was not made.
    types = [row.type for row in recorded]
    assert types.count("signing_key.created") - types.count("signing_key.removed") == len(found)


async def kill_while_rotating(url: str, directory: Path, rounds: int) -> int:
    """Return how often the command was killed before its end."""
    tokens: list[str] = []
    async with service(url, directory):
        pass
    began = time.monotonic()
    await asyncio.to_thread(begun(directory, url, "keys", "rotate", "--now").wait)
    whole, killed = time.monotonic() - began, 0
    for number in range(rounds):
        flags = [["rotate", "--now"], ["rotate"]][number % 2]
        process = begun(directory, url, "keys", *flags)
        await asyncio.sleep(whole * random.uniform(0.5, 1.0))
        killed += process.poll() is None
        kill(process)
        await the_ring_works(url, directory, tokens)
    return killed


async def test_killed_while_rotating_the_ring_works(database_url: str, tmp_path: Path) -> None:
    await kill_while_rotating(database_url, tmp_path, rounds=3)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_killed_50_times_while_rotating_the_ring_works(database_url: str, tmp_path: Path) -> None:
    assert await kill_while_rotating(database_url, tmp_path, rounds=50) > 10


@pytest.mark.parametrize("command", ["rotate", "rotate --now", "revoke"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f02_killed_between_two_statements_nothing_of_it_remains(
    database_url: str, tmp_path: Path, command: str
) -> None:
    """The keys are changed, the events are about to be written: there it stands when it is killed."""
    async with service(database_url, tmp_path) as started:
        kid = (await started.keys.signing()).kid
        token = await started.access_tokens.issue(
            new_id(), new_id(), "x", "account", NOW + timedelta(days=9999)
        )
    before = await rows(database_url)
    arguments = ["keys", "revoke", kid, "--yes"] if command == "revoke" else ["keys", *command.split()]
    async with opened(database_url) as database:
        async with database.engine.begin() as holder:
            await holder.execute(text("LOCK TABLE events IN EXCLUSIVE MODE"))
            process = begun(tmp_path, database_url, *arguments)
            async with asyncio.timeout(60):
                while not await _waits_for_events(database):
                    assert process.poll() is None
            kill(process)
        # The server finds out, and takes back what the dead had not committed.
        async with asyncio.timeout(60):
            while await _waits_for_events(database):
                pass

    assert await rows(database_url) == before
    await the_ring_works(database_url, tmp_path, [token])
    ended = await asyncio.to_thread(
        run, tmp_path, *arguments, settings={"GATEPOST_DATABASE_URL": database_url}
    )
    assert ended.returncode == 0, ended.stderr
    assert len(await rows(database_url)) == 2


async def _waits_for_events(database: Database) -> bool:
    waiting = text(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO events%'"
    )
    return bool(await database.reads.rows(waiting))


async def test_killed_while_resealing_it_can_be_begun_again(database_url: str, tmp_path: Path) -> None:
    async with service(database_url, tmp_path) as started:
        kid = (await started.keys.signing()).kid
    await _seal_much(database_url)

    process = begun(tmp_path, database_url, "keys", "reseal", **MOVED)
    async with opened(database_url) as database, asyncio.timeout(60):
        while await _sealed_anew(database) < 20:
            assert process.poll() is None
    kill(process)

    async with opened(database_url) as database:
        assert 20 <= await _sealed_anew(database) < SEALED
    # Whatever it is sealed under, it opens; and a service signs.
    async with service(database_url, tmp_path, secret_key=OTHER, previous_secret_keys=[SECRET]) as started:
        assert (await started.keys.signing()).kid == kid
        assert {each.unknown for each in (await started.sealed.seals()).values()} == {0}
    settings = {"GATEPOST_DATABASE_URL": database_url, **MOVED}
    ended = await asyncio.to_thread(run, tmp_path, "keys", "reseal", "--json", settings=settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["resealed"]["idempotency_keys.asked"] < SEALED
    async with service(database_url, tmp_path, secret_key=OTHER) as alone:
        assert (await alone.keys.signing()).kid == kid
        seals = await alone.sealed.seals()
    assert seals["idempotency_keys.asked"].current == SEALED
    assert {(each.previous, each.unknown) for each in seals.values()} == {(0, 0)}


async def _seal_much(url: str) -> None:
    ring = KeyRing([SECRET])
    values = [
        {
            "digest": number.to_bytes(32),
            "asked": ring.seal(b"asked", f"idempotency {number.to_bytes(32).hex()}"),
            "holder": new_id(),
            "expires_at": NOW + timedelta(days=9999),
        }
        for number in range(SEALED)
    ]
    async with opened(url) as database, database.write() as transaction:
        await transaction.execute(insert(IdempotencyKey), values)


async def _sealed_anew(database: Database) -> int:
    found = await database.reads.rows(select(IdempotencyKey.asked))
    new = KeyRing([OTHER]).key_ids[0]
    return sum(row.asked.startswith(new) for row in found)
