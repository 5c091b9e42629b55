"""Sealing anew: every sealed column, one value at a time, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gatepost import Gatepost
from gatepost.core.database import Database
from gatepost.core.idempotency import SEALED, IdempotencyKey
from gatepost.core.ids import new_id
from gatepost.core.models import Base, SealedBytes
from gatepost.core.sealed import Sealed, Seals
from gatepost.core.secrets import KeyRing
from gatepost.wiring import sealed_columns

OLD, NEW, LOST = (f"{letter}2vTq9wLr7yXb2nHc5mJd8gPf4sAe6u" for letter in "abc")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 250  # more than two pages


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


def digest(number: int) -> bytes:
    return number.to_bytes(32)


async def fill(database: Database, secret: str, numbers: range, *, answered: bool = True) -> None:
    ring = KeyRing([secret])
    rows: list[dict[str, Any]] = [
        {
            "digest": digest(number),
            "asked": ring.seal(b"asked %d" % number, f"idempotency {digest(number).hex()}"),
            "answer": ring.seal(b"answer %d" % number, f"idempotency {digest(number).hex()}")
            if answered
            else None,
            "holder": new_id(),
            "expires_at": NOW + timedelta(days=1),
        }
        for number in numbers
    ]
    async with database.write() as transaction:
        await transaction.execute(insert(IdempotencyKey), rows)


def sealed(database: Database, *secrets: str) -> Sealed:
    return Sealed(database, KeyRing(secrets), SEALED)


async def opened(database: Database, *secrets: str) -> list[tuple[bytes, bytes | None]]:
    ring = KeyRing(secrets)
    found = await database.reads.rows(select(IdempotencyKey.__table__).order_by(IdempotencyKey.digest))
    return [
        (
            ring.open(row.asked, f"idempotency {row.digest.hex()}"),
            ring.open(row.answer, f"idempotency {row.digest.hex()}") if row.answer else None,
        )
        for row in found
    ]


def test_every_sealed_column_of_every_table_is_sealed_anew(gatepost: Gatepost) -> None:
    there = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, SealedBytes)
    }

    assert {each.name for each in sealed_columns()} == there
    assert {each.name for each in gatepost.sealed.columns} == there
    assert len(there) >= 3


async def test_all_is_sealed_anew_and_the_previous_key_is_not_needed_any_more(database: Database) -> None:
    await fill(database, OLD, range(COUNT))
    await fill(database, OLD, range(COUNT, COUNT + 10), answered=False)
    await fill(database, NEW, range(COUNT + 10, COUNT + 20))
    before = await opened(database, NEW, OLD)
    ours = sealed(database, NEW, OLD)
    assert await ours.seals() == {
        "idempotency_keys.asked": Seals(current=10, previous=COUNT + 10, unknown=0),
        "idempotency_keys.answer": Seals(current=10, previous=COUNT, unknown=0),
    }

    outcome = await ours.reseal()

    assert outcome.done == {"idempotency_keys.asked": COUNT + 10, "idempotency_keys.answer": COUNT}
    assert outcome.unopened == {}
    assert await opened(database, NEW) == before
    assert (await ours.reseal()).done == {}
    assert {each.previous for each in (await ours.seals()).values()} == {0}


async def test_what_cannot_be_opened_is_left_and_counted(database: Database) -> None:
    await fill(database, LOST, range(3))
    await fill(database, OLD, range(3, 5))
    ours = sealed(database, NEW, OLD)

    outcome = await ours.reseal()

    assert outcome.done == {"idempotency_keys.asked": 2, "idempotency_keys.answer": 2}
    assert outcome.unopened == {"idempotency_keys.asked": 3, "idempotency_keys.answer": 3}
    assert (await ours.seals())["idempotency_keys.asked"] == Seals(current=2, previous=0, unknown=3)
    assert len(await opened(database, NEW, LOST)) == 5


async def test_a_value_that_was_moved_to_another_row_is_not_made_good(database: Database) -> None:
    await fill(database, OLD, range(2))
    rows = await database.reads.rows(select(IdempotencyKey.asked).order_by(IdempotencyKey.digest))
    async with database.write() as transaction:
        moved = update(IdempotencyKey).where(IdempotencyKey.digest == digest(1))
        await transaction.execute(moved.values(asked=rows[0].asked))

    outcome = await sealed(database, NEW, OLD).reseal()

    assert outcome.unopened == {"idempotency_keys.asked": 1}


async def test_several_at_once_seal_each_value_once(database: Database, database_url: str) -> None:
    await fill(database, OLD, range(COUNT))
    before = await opened(database, OLD)
    several = [Database(database_url) for _ in range(3)]

    outcomes = await asyncio.gather(*(sealed(each, NEW, OLD).reseal() for each in several))

    assert sum(outcome.done.total() for outcome in outcomes) == 2 * COUNT
    assert await opened(database, NEW) == before
    for each in several:
        await each.close()


async def test_what_changed_meanwhile_is_not_overwritten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, OLD, range(1))
    purpose = f"idempotency {digest(0).hex()}"
    changed = KeyRing([NEW]).seal(b"another answer", purpose)
    ours = sealed(database, NEW, OLD)
    replace = ours._replace

    async def overtaken(*arguments: Any) -> int:
        async with database.write() as transaction:
            await transaction.execute(update(IdempotencyKey).values(answer=changed))
        return await replace(*arguments)

    monkeypatch.setattr(ours, "_replace", overtaken)

    outcome = await ours.reseal()

    assert outcome.done == {"idempotency_keys.asked": 1}
    assert await opened(database, NEW) == [(b"asked 0", b"another answer")]
