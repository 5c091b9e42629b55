"""What happens when the database undoes a transaction for another's sake (SQLSTATE 40001, 40P01)."""

import asyncio
import sqlite3

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select, text, update

from gatepost import Gatepost, Settings
from gatepost.core.errors import TransactionConflict, Unavailable
from gatepost.core.events import EventRow
from gatepost.core.work import UNIT_TRIES, Work
from gatepost.users import User
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def conflict(gatepost: Gatepost, table: str, times: int) -> None:
    """Let the next inserts into a table fail so often. A sequence counts them: it does not roll back."""
    async with gatepost.database.engine.begin() as connection:
        for statement in (
            "CREATE SEQUENCE tries",
            f"""CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('tries') <= {times} THEN RAISE 'conflict' USING ERRCODE = '40001'; END IF;
                RETURN NEW; END $$""",
            f"CREATE TRIGGER conflict BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION conflict()",
        ):
            await connection.exec_driver_sql(statement)


async def count(gatepost: Gatepost, kind: str) -> tuple[int, int]:
    """Return how many people there are, and how many events of this kind."""
    people = select(func.count(User.id)).scalar_subquery()
    events = select(func.count(EventRow.id)).where(EventRow.type == kind).scalar_subquery()
    row = await gatepost.database.reads.first(select(people.label("people"), events.label("events")))
    assert row is not None
    return row.people, row.events


NEW = {"email": "ada@example.com", "password": PASSWORD}


@on_postgresql
@pytest.mark.parametrize("times", [1, 3])
async def test_a_change_is_tried_again_and_made_once(
    gatepost: Gatepost, client: AsyncClient, times: int
) -> None:
    await conflict(gatepost, "users", times)

    answer = await client.post("/users/", json=NEW)

    assert answer.status_code == 200, answer.text
    assert await count(gatepost, "user.registered") == (1, 1)


@on_postgresql
async def test_a_body_that_came_in_parts_is_there_for_the_second_try(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    await conflict(gatepost, "users", 2)

    async def parts():
        yield b'{"email": "ada@example.com",'
        yield f'"password": "{PASSWORD}"}}'.encode()

    answer = await client.post("/users/", content=parts(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 200, answer.text


@on_postgresql
async def test_after_the_last_try_the_answer_is_503_and_nothing_happened(
    gatepost: Gatepost, client: AsyncClient
) -> None:
    await conflict(gatepost, "users", UNIT_TRIES)

    answer = await client.post("/users/", json=NEW)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert await count(gatepost, "user.registered") == (0, 0)
    assert (await client.post("/users/", json=NEW)).status_code == 200


@on_postgresql
async def test_a_sign_in_is_tried_again_too(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    await conflict(gatepost, "sessions", 2)

    assert (await make.sign_in(person.email, PASSWORD)).status_code == 200
    assert await count(gatepost, "session.started") == (1, 1)


@on_postgresql
async def test_a_conflict_at_the_commit_is_tried_again(gatepost: Gatepost, client: AsyncClient) -> None:
    await conflict(gatepost, "events", 2)
    async with gatepost.database.engine.begin() as connection:
        await connection.exec_driver_sql("DROP TRIGGER conflict ON events")
        await connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER conflict AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION conflict()"
        )

    assert (await client.post("/users/", json=NEW)).status_code == 200
    assert await count(gatepost, "user.registered") == (1, 1)


@on_postgresql
async def test_two_units_that_deadlock_both_succeed(gatepost: Gatepost, make: Make) -> None:
    first, second = await make.user(), await make.user()
    meeting = asyncio.Barrier(2)
    tries: list[int] = []

    async def rename(one: object, other: object, name: str) -> None:
        async def act(work: Work) -> None:
            tries.append(1)
            await work.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            await work.execute(update(User).where(User.id == one).values(name=name))
            if len(tries) <= 2:
                await meeting.wait()
            await work.execute(update(User).where(User.id == other).values(name=name))

        await gatepost.run(act)

    await asyncio.gather(rename(first.id, second.id, "A"), rename(second.id, first.id, "B"))

    assert len(tries) == 3
    names = await gatepost.database.reads.rows(select(User.name))
    assert len({row.name for row in names}) == 1


async def test_a_unit_that_never_gets_through_says_so(gatepost: Gatepost) -> None:
    tries: list[Work] = []

    async def act(work: Work) -> None:
        tries.append(work)
        raise TransactionConflict

    with pytest.raises(Unavailable):
        await gatepost.run(act)
    assert len(set(map(id, tries))) == UNIT_TRIES


@on_sqlite
async def test_a_database_that_another_program_holds_is_503(settings: Settings) -> None:
    impatient = make_settings(settings.database_location, settings.data_dir, database={"lock_timeout": 0.01})
    service = Gatepost(impatient)
    async with service.lifespan(), open_client(service) as client:
        other = sqlite3.connect(settings.data_dir / "gatepost.db")
        other.execute("BEGIN IMMEDIATE")

        refused = await client.post("/users/", json=NEW)
        assert (await client.get("/health/ready")).status_code == 200
        other.rollback()
        other.close()

        assert (refused.status_code, refused.json()["code"]) == (503, "database-unavailable")
        assert (await client.post("/users/", json=NEW)).status_code == 200
