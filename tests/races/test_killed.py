"""kill -9 in the midst of changes: what was answered is there after the next start, and nothing is half done."""

import asyncio
import itertools
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from tests.ledger import Ledger, half_states, lost, opened
from tests.make import PASSWORD
from tests.processes import Server, start
from tests.races.conftest import ISSUER, empty_database

KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
STREAMS = 4
ANSWERS_BEFORE_THE_KILL = 40


async def change_things(server: Server, ledger: Ledger, stream: str) -> None:
    """Sign up, sign in and change the name, over and over, until the service is gone."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for number in itertools.count():
            email = f"{stream}-{number}@example.com"
            created = await client.post("/users/", json={"email": email, "password": PASSWORD})
            assert created.status_code == 200, created.text
            ledger.accounts.add(email)
            ledger.answered()
            form = {"username": email, "password": PASSWORD}
            signed_in = await client.post("/users/token", data=form)
            assert signed_in.status_code == 200, signed_in.text
            headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
            for turn in range(3):
                await _rename(client, headers, ledger, email, f"name {turn}")


async def _rename(
    client: httpx2.AsyncClient, headers: dict[str, str], ledger: Ledger, email: str, name: str
) -> None:
    ledger.asks_for(email, name)
    changed = await client.patch("/users/me", json={"name": name}, headers=headers)
    assert changed.status_code == 200, changed.text
    ledger.renamed(email, name)


async def kill_amid_changes(server: Server, ledger: Ledger, label: str) -> None:
    """Kill the service, its workers too, once it has answered a while and while it is being asked."""

    async def stream(name: str) -> None:
        with suppress(httpx2.TransportError):
            await change_things(server, ledger, name)

    async with asyncio.TaskGroup() as streams:
        for number in range(STREAMS):
            streams.create_task(stream(f"{label}-{number}"))
        await ledger.wait_for_more(ANSWERS_BEFORE_THE_KILL)
        await asyncio.to_thread(server.kill)


async def sound(url: str) -> bool:
    """Tell whether the file is whole; a server looks after that by itself."""
    async with opened(url) as database:
        if not database.is_sqlite:
            return True
        row = await database.reads.first(text("PRAGMA integrity_check"))
        return row is not None and row[0] == "ok"


async def kill_and_start_again(kind: str, directory: Path, rounds: int) -> None:
    ledger = Ledger()
    with empty_database(kind, directory) as url:
        settings = {**ISSUER, "GATEPOST_DATABASE_URL": url}
        server = await asyncio.to_thread(start, directory, settings, "--workers", "2")
        try:
            for number in range(rounds):
                await kill_amid_changes(server, ledger, f"round{number}")
                server = await asyncio.to_thread(start, directory, settings, "--workers", "2")
                assert await lost(url, ledger) == {}
                assert await half_states(url) == {}
                assert await sound(url)
                await _last_account_works(server, ledger)
        finally:
            await asyncio.to_thread(server.kill)


async def _last_account_works(server: Server, ledger: Ledger) -> None:
    form = {"username": max(ledger.accounts), "password": PASSWORD}
    async with httpx2.AsyncClient(base_url=server.url) as client:
        assert (await client.post("/users/token", data=form)).status_code == 200


async def test_what_must_not_be_is_found_when_it_is_there(database_url: str) -> None:
    someone = "'0197f3a0000070008000000000000001'"
    planted = {
        "a person without a password": f"""
            INSERT INTO users (id, email, email_canonical, is_active, created_at, updated_at, version)
            VALUES ({someone}, 'a@example.com', 'a@example.com', true, '2026-01-01', '2026-01-01', 2)""",
        "a registration of nobody": """
            INSERT INTO events (id, type, at, subject, data) VALUES
            ('0197f3a0000070008000000000000002', 'user.registered', '2026-01-01',
             '0197f3a0000070008000000000000003', '{}')""",
    }
    async with opened(database_url) as database, database.write() as transaction:
        for statement in planted.values():
            await transaction.execute(text(statement.replace(":", r"\:")))

    ledger = Ledger(
        accounts={"b@example.com"}, names={"a@example.com": "Ada"}, asked={"a@example.com": {"Ada"}}
    )

    assert await half_states(database_url) == dict.fromkeys(
        [
            *planted,
            "a person whose registration is not recorded",
            "a change that is not recorded, or a record of none",
        ],
        1,
    )
    assert await lost(database_url, ledger) == {
        "a@example.com": "None instead of Ada",
        "b@example.com": "no account",
    }


@KINDS
async def test_killed_twice_it_keeps_what_it_answered(kind: str, tmp_path: Path) -> None:
    await kill_and_start_again(kind, tmp_path, rounds=2)


@pytest.mark.soak
@pytest.mark.timeout(600)
@KINDS
async def test_killed_ten_times_it_keeps_what_it_answered(kind: str, tmp_path: Path) -> None:
    await kill_and_start_again(kind, tmp_path, rounds=10)
