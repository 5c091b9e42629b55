"""Transactions that wait for each other, that PostgreSQL undoes for another's sake, or that somebody holds up."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.make import PASSWORD
from tests.soak.cluster import Cluster, client_at
from tests.soak.load import Load, Tokens, loaded, percentile
from tests.soak.record import judge, record
from tests.soak.trouble import people, troubled

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

PEOPLE = 4
ADMINISTRATORS = 3
STREAMS = 12
SECONDS = 15.0
LOCKED_SECONDS = 20.0
CONNECTIONS = 80  # of two services with two processes of two pools of ten


@dataclass
class Crowd:
    """Administrators who change each other and the same few people, who come and go meanwhile."""

    cluster: Cluster
    client: httpx2.AsyncClient
    administrators: list[Tokens]
    everybody: list[str]
    people: list[str]
    said: Counter[str] = field(default_factory=Counter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    undisturbed: asyncio.Event = field(default_factory=asyncio.Event)

    def disturb_no_more(self) -> None:
        self.undisturbed.set()

    async def change(self) -> None:
        for number in itertools.count():
            if self.ended.is_set():
                return
            body: dict[str, Any] = {"name": f"name {number}"}
            whom = random.choice(self.everybody)
            if whom in self.people and number % 2:
                body = {"is_active": number % 4 == 1}
            headers = random.choice(self.administrators).headers
            self.note(await self.client.patch(f"/users/{whom}", json=body, headers=headers), {200})

    async def come_and_go(self, email: str) -> None:
        form = {"username": email, "password": PASSWORD}
        while not self.ended.is_set():
            answer = await self.client.post("/users/token", data=form)
            # Somebody may have been disabled, or that may have ended the session.
            self.note(answer, {200, 400})
            if answer.status_code == 200:
                headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                own = self.client.patch("/users/me", json={"name": email}, headers=headers)
                self.note(await own, {200, 401})
                self.note(await self.client.post("/users/logout", headers=headers), {204, 401})

    def note(self, answer: httpx2.Response, expected: set[int]) -> None:
        self.said[str(answer.status_code)] += 1
        if answer.status_code not in expected:
            self.said[f"unexpected {answer.status_code} {answer.text[:200]}"] += 1

    @property
    def unexpected(self) -> list[str]:
        return [said for said in self.said if said.startswith("unexpected")]

    async def disturb(self, email: str) -> None:
        """Lock a person's rows in the other order than the service does, and leave it to the service to notice."""
        async with self.cluster.postgres.connected() as connection:
            await connection.execute("SET deadlock_timeout = '60 s'")
            while not self.undisturbed.is_set():
                with suppress(asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                    async with connection.transaction():
                        await connection.execute(_SESSIONS_OF, email)
                        await asyncio.sleep(0.05)
                        await connection.execute("UPDATE users SET name = name WHERE email = $1", email)
                await asyncio.sleep(0.5)


_SESSIONS_OF = """
UPDATE sessions SET user_agent = user_agent WHERE ended_at IS NULL
    AND user_id = (SELECT id FROM users WHERE email = $1)
"""


@asynccontextmanager
async def crowded(cluster: Cluster, label: str) -> AsyncGenerator[Crowd]:
    """Let them change each other meanwhile."""
    quiet = Load(cluster, label, pause=0.0)
    async with client_at(cluster.url) as client:
        administrators: list[Tokens] = []
        for number in range(ADMINISTRATORS):
            email = f"{label}-admin-{number}@example.com"
            await cluster.command("users", "create", email, "--admin", "--password-stdin", stdin=PASSWORD)
            tokens = await quiet.sign_in(client, email)
            assert tokens is not None
            administrators.append(tokens)
        victims = await people(quiet, client, PEOPLE)
        ids = [await id_of(client, tokens) for tokens in [*administrators, *victims]]
        crowd = Crowd(cluster, client, administrators, ids, ids[ADMINISTRATORS:])
        async with asyncio.TaskGroup() as tasks:
            for _ in range(STREAMS):
                tasks.create_task(crowd.change())
            for tokens in victims:
                tasks.create_task(crowd.come_and_go(tokens.email))
                tasks.create_task(crowd.disturb(tokens.email))
            yield crowd
            crowd.ended.set()


async def id_of(client: httpx2.AsyncClient, tokens: Tokens) -> str:
    answer = await client.get("/users/me", headers=tokens.headers)
    return str(answer.json()["id"])


async def test_f10_changes_that_deadlock_are_tried_again(cluster: Cluster) -> None:
    """Three administrators change each other and the same people; somebody locks rows the other way round."""
    before = cluster.postgres.errors()
    async with loaded(cluster, "f10-deadlocks") as load:
        began = time.monotonic()
        async with crowded(cluster, f"{load.label}-crowd") as crowd:
            await asyncio.sleep(SECONDS)
            crowd.disturb_no_more()
    undone = (cluster.postgres.errors() - before)["40P01"]
    _record("f10-deadlocks", load, crowd, began, undone)
    assert undone >= 5
    await _judge(load, crowd, began)


async def test_f10_changes_that_are_undone_at_the_commit_are_tried_again(cluster: Cluster) -> None:
    """Each eighth change of a person fails to be serialized, half of them not before the commit."""
    before = cluster.postgres.errors()
    async with loaded(cluster, "f10-serialization") as load:
        began = time.monotonic()
        async with crowded(cluster, f"{load.label}-crowd") as crowd, undoing(cluster):
            crowd.disturb_no_more()
            await asyncio.sleep(SECONDS)
    undone = (cluster.postgres.errors() - before)["40001"]
    _record("f10-serialization", load, crowd, began, undone)
    assert undone >= 5
    await _judge(load, crowd, began)


@asynccontextmanager
async def undoing(cluster: Cluster) -> AsyncGenerator[None]:
    """Have PostgreSQL undo some changes meanwhile, as it does when it cannot put them into an order."""
    async with cluster.postgres.connected() as connection:
        await connection.execute(_UNDO)
        yield
        await connection.execute("DROP FUNCTION undo CASCADE; DROP SEQUENCE asked")


_UNDO = """
CREATE SEQUENCE asked;
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('asked') % 15 = 0 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER undone_at_once BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION undo();
CREATE CONSTRAINT TRIGGER undone_at_the_commit AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION undo();
"""


def _record(name: str, load: Load, crowd: Crowd, began: float, undone: int) -> None:
    record(
        name,
        undone_by_postgresql=undone,
        crowd=dict(sorted(crowd.said.items())),
        answers=load.counted(began),
        p99_ms=percentile([each for each in load.answers if each.at > began], 0.99),
        taken_by_others=load.neighbours.share(),
    )


async def _judge(load: Load, crowd: Crowd, began: float) -> None:
    assert crowd.unexpected == []
    assert load.failed(began) == []
    await judge(load)


async def test_f11_the_table_of_people_is_locked_for_twenty_seconds(cluster: Cluster) -> None:
    async with troubled(cluster, "f11") as trouble:
        files = [cluster.open_files()]
        waiting = [0]
        async with trouble.at_work(), cluster.postgres.connected() as holder, holder.transaction():
            await holder.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            until = time.monotonic() + LOCKED_SECONDS
            while time.monotonic() < until:
                await asyncio.sleep(0.5)
                waiting.append(await holder.fetchval(_WAITING))
            files.append(cluster.open_files())
        files.append(cluster.open_files())
    refused = [each for each in trouble.load.failed(trouble.began) if each.at < trouble.ended]
    record(
        "f11",
        **trouble.figures,
        refused_within=round(max(each.seconds for each in refused), 2),
        waiting_at_most=max(waiting),
        open_files=files,
    )
    # Two seconds for a connection and three for the lock.
    await trouble.judge(longest=6.0)
    assert {each.status for each in refused} == {503}
    assert max(waiting) <= CONNECTIONS
    assert files[1] < 1.5 * files[0]


_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost' AND wait_event_type = 'Lock'
"""
