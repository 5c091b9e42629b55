"""Every statement of a request goes by an index: a million people cost what a thousand cost."""

import json
import math
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from httpx2 import AsyncClient
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from gatepost import Consumer, Event, Gatepost, RecordedEvent
from gatepost.core.clock import MovableClock
from gatepost.core.events import EventLog
from gatepost.core.models import Base
from gatepost.core.outbox import Outbox
from gatepost.core.secrets import KeyRing
from gatepost.users import Users
from gatepost.wiring import jobs
from tests.conftest import SECRET
from tests.make import PASSWORD, Make, Person, SignedIn

ROWS = 10_000

# A handful of rows in any installation, and read whole.
SMALL = {"installation", "signing_keys", "alembic_version", "test_clock"}

# In PostgreSQL's units, in which a page read from disk in order is 1. Finding one row costs 8; reading the
# rows of one of these tables, or sorting them, costs hundreds.
MOST_COST = 250.0

# What a value is made of, from the number of its row: for PostgreSQL, for SQLite.
VALUES: dict[type[Any], tuple[str, str]] = {
    sa.Uuid: ("lpad(to_hex(n), 32, '0')::uuid", "printf('%032x', n)"),
    sa.String: ("'v' || n", "'v' || n"),
    sa.Boolean: ("n % 10 <> 0", "n % 10 <> 0"),
    sa.Integer: ("n", "n"),
    sa.JSON: ("'{}'::json", "'{}'"),
    sa.LargeBinary: ("sha256(n::text::bytea)", "randomblob(32)"),
    sa.DateTime: ("now() - n * interval '1 minute'", "datetime('now', -n || ' minutes') || '.000000'"),
}
OVERRIDES = {
    ("users", "email"): "'crowd' || n || '@example.com'",
    ("users", "email_canonical"): "'crowd' || n || '@example.com'",
    ("deliveries", "state"): "CASE WHEN n % 50 = 0 THEN 'due' ELSE 'done' END",
    ("deliveries", "consumer"): "'listener'",
    ("deliveries", "lane"): "'default'",
}


@dataclass(frozen=True)
class Sent:
    """A statement as it went to the database."""

    text: str
    parameters: Any


@dataclass(frozen=True, kw_only=True)
class Unheard(Event):
    type: ClassVar[str] = "plans.unheard"


def _value(column: sa.Column[Any], *, on_sqlite: bool) -> str:
    if override := OVERRIDES.get((column.table.name, column.name)):
        return override
    if column.nullable:
        return "NULL"
    kind: Any = column.type
    kind = getattr(kind, "impl_instance", kind)
    return next(values for type_, values in VALUES.items() if isinstance(kind, type_))[on_sqlite]


def _fill(table: sa.Table, *, on_sqlite: bool) -> str:
    """Return the statement that adds rows; row n of a table hangs on row n of what it refers to."""
    columns = ", ".join(column.name for column in table.columns)
    values = ", ".join(_value(column, on_sqlite=on_sqlite) for column in table.columns)
    numbers = f"generate_series(1, {ROWS}) AS g (n)"
    counted = f"SELECT {values} FROM {numbers}"
    if on_sqlite:
        counting = f"WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {ROWS})"
        counted = f"{counting} SELECT {values} FROM g"
    return f"INSERT INTO {table.name} ({columns}) {counted}"


@pytest.fixture
async def crowd(gatepost: Gatepost) -> None:
    """Fill every table that grows with the number of people."""
    on_sqlite = gatepost.database.is_sqlite
    async with gatepost.database.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in SMALL:
                await connection.exec_driver_sql(_fill(table, on_sqlite=on_sqlite))
        if not on_sqlite:
            await connection.exec_driver_sql("ANALYZE")


@contextmanager
def overheard() -> Generator[dict[str, Sent]]:
    """Collect what any engine sends meanwhile, each statement once."""
    heard: dict[str, Sent] = {}

    def listen(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        heard.setdefault(statement, Sent(statement, parameters[0] if many else parameters))

    event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield heard
    finally:
        event.remove(sa.Engine, "before_cursor_execute", listen)


async def plans_without_index(
    gatepost: Gatepost, heard: dict[str, Sent], most_cost: float = MOST_COST
) -> dict[str, str]:
    """Return the statements whose plan reads a table instead of finding rows, each with its plan.

    Where many rows are wanted, and so no cost is too much, a table is read only if no index could serve.
    """
    on_sqlite = gatepost.database.is_sqlite
    judge = _fault_on_sqlite if on_sqlite else partial(_fault_on_postgresql, most_cost)
    faults = {}
    async with gatepost.database.engine.begin() as connection:
        if most_cost == math.inf and not on_sqlite:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for sent in heard.values():
            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", sent.text) and (
                fault := await judge(connection, sent)
            ):
                faults[sent.text] = fault
    return faults


async def plans(gatepost: Gatepost, heard: dict[str, Sent]) -> list[str]:
    """Return how the database would run each statement, as it tells it."""
    explain = "EXPLAIN QUERY PLAN" if gatepost.database.is_sqlite else "EXPLAIN"
    async with gatepost.database.engine.begin() as connection:
        answers = [
            await connection.exec_driver_sql(f"{explain} {sent.text}", sent.parameters)
            for sent in heard.values()
            if re.match(r"\s*(SELECT|WITH)\b", sent.text)
        ]
        return ["\n".join(str(row[-1]) for row in answer.all()) for answer in answers]


async def _fault_on_postgresql(most_cost: float, connection: AsyncConnection, sent: Sent) -> str | None:
    answer = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sent.text}", sent.parameters)
    found = answer.scalar_one()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    read = {node["Relation Name"] for node in _nodes(plan) if node["Node Type"] == "Seq Scan"} - SMALL
    return json.dumps(plan, indent=1) if read or plan["Total Cost"] > most_cost else None


def _nodes(plan: dict[str, Any]) -> Generator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def _fault_on_sqlite(connection: AsyncConnection, sent: Sent) -> str | None:
    answer = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sent.text}", sent.parameters)
    steps = [row.detail for row in answer.all()]
    # In the order of an index a LIMIT ends the scan; in no order at all nothing does.
    reading = [step for step in steps if re.match(r"SCAN (?!.* USING )", step)]
    reading = [step for step in reading if step.split()[1] in Base.metadata.tables.keys() - SMALL]
    # Of one person's live sessions, of which there are never many, those used longest ago are sorted out; of what is
    # due, the first hundred are dealt out by turns.
    bounded = "UPDATE sessions SET ended_at" in sent.text and "last_seen_at DESC" in sent.text
    bounded = bounded or sent.text.startswith("WITH waiting AS")
    touched = {step.split()[1] for step in steps if step.startswith(("SCAN ", "SEARCH "))}
    sorting = [step for step in steps if "TEMP B-TREE" in step and not bounded and touched - SMALL]
    return "\n".join(steps) if reading or sorting else None


async def _sign_in_and_out(client: AsyncClient, make: Make, person: Person) -> None:
    await make.sign_in(person.email, "not the right one")
    await make.sign_in("nobody@example.com", PASSWORD)
    me = await make.signed_in(person)
    assert (await client.get("/users/me", headers=me.headers)).status_code == 200
    fresh = (await make.refresh(me.refresh_token)).json()
    assert (await make.reuse(me.refresh_token)).status_code == 400
    assert (await make.refresh(fresh["refresh_token"])).status_code == 400
    me = await make.signed_in(person)
    assert (await client.post("/users/logout", headers=me.headers)).status_code == 204


async def _list(client: AsyncClient, boss: SignedIn) -> None:
    """Ask for every kind of list, two pages of each."""
    lists: list[dict[str, Any]] = [
        {},
        {"is_active": True},
        {"is_active": False},
        {"email": "crowd77@example.com"},
        {"created_after": "2020-01-01T00:00:00Z"},
        {"created_before": "2040-01-01T00:00:00Z", "is_active": True},
        {"q": "crowd77"},
        {"q": "c"},
        {"q": "crowd", "is_active": False},
    ]
    for wanted in lists:
        answer = await client.get("/users/", params={**wanted, "limit": 20}, headers=boss.headers)
        assert answer.status_code == 200, answer.text
        if cursor := answer.json()["next"]:
            query = {**wanted, "limit": 20, "cursor": cursor}
            assert len((await client.get("/users/", params=query, headers=boss.headers)).json()["items"])


async def test_sign_in_and_tokens_go_by_an_index(
    client: AsyncClient, gatepost: Gatepost, make: Make, crowd: None
) -> None:
    person = await make.user()
    with overheard() as heard:
        await _sign_in_and_out(client, make, person)
    assert len(heard) > 8
    assert await plans_without_index(gatepost, heard) == {}


async def test_lists_and_changes_go_by_an_index(
    client: AsyncClient, gatepost: Gatepost, make: Make, crowd: None
) -> None:
    boss = await make.signed_in(await make.administrator())
    person = await make.user()
    path = f"/users/{person.id}"
    with overheard() as heard:
        await _list(client, boss)
        for asked in (client.get(path, headers=boss.headers), client.delete(path, headers=boss.headers)):
            assert (await asked).is_success
        await gatepost.build(Users, gatepost.reading()).profile_by_email("crowd77@example.com")
    assert len(heard) > 8
    assert await plans_without_index(gatepost, heard) == {}


async def test_the_outbox_finds_what_is_due_by_an_index(
    gatepost: Gatepost, clock: MovableClock, crowd: None
) -> None:
    async def run(_event: RecordedEvent) -> None: ...

    outbox = Outbox(
        gatepost.database,
        EventLog([Consumer("listener", [Unheard], run)], KeyRing([SECRET])),
        clock,
        gatepost.log,
    )
    clock.move(timedelta(days=1))
    with overheard() as heard:
        assert await outbox.claim(20)
        await outbox.next_due("default")
    assert len(heard) >= 3
    assert any("ix_deliveries_due" in plan for plan in await plans(gatepost, heard))
    # A hundred of those that wait are looked at, each found by its key.
    assert await plans_without_index(gatepost, heard, most_cost=1_500) == {}


async def test_clean_up_finds_what_is_over_by_an_index(
    gatepost: Gatepost, clock: MovableClock, crowd: None
) -> None:
    gone = []
    with overheard() as heard:
        ring = KeyRing(gatepost.settings.key_ring())
        for job in jobs(gatepost.settings, ring, gatepost.run, gatepost.build):
            async with gatepost.database.write() as transaction:
                gone.append(await job.run(transaction, clock.now() + timedelta(days=1000)))
    assert sum(gone) > 0
    assert len(heard) >= 3
    assert await plans_without_index(gatepost, heard, most_cost=math.inf) == {}
