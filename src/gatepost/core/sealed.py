"""The columns that hold sealed values: under which secret key they are sealed, and sealing them anew."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from gatepost.core.database import Database
from gatepost.core.secrets import KEY_ID_BYTES, KeyRing, Unsealable

__all__ = ["Resealed", "Sealed", "SealedColumn", "Seals"]

_PAGE = 100


@dataclass(frozen=True)
class SealedColumn:
    """A column with sealed values, the key of its table, and what the value of a row is sealed for, by that key."""

    column: InstrumentedAttribute[Any]
    key: InstrumentedAttribute[Any]
    purpose: Callable[[Any], str]

    @property
    def name(self) -> str:
        """The table and the column."""
        return f"{self.column.class_.__tablename__}.{self.column.key}"


@dataclass(frozen=True)
class Seals:
    """How many values of a column are sealed under the present secret key, a previous one, or an unknown one."""

    current: int
    previous: int
    unknown: int


@dataclass
class Resealed:
    """How many values were sealed anew, and how many could not be opened, by column."""

    done: Counter[str] = field(default_factory=Counter)
    unopened: Counter[str] = field(default_factory=Counter)


class Sealed:
    """Every sealed value in the database, whatever it is for."""

    def __init__(self, database: Database, ring: KeyRing, columns: Sequence[SealedColumn]) -> None:
        self._database = database
        self._ring = ring
        self.columns = columns

    async def seals(self) -> dict[str, Seals]:
        """Count the values of each column by what they are sealed under."""
        return {each.name: await self._count(each) for each in self.columns}

    async def _count(self, sealed: SealedColumn) -> Seals:
        key_id = _key_id(sealed)
        counted = select(key_id.label("key_id"), func.count().label("times"))
        statement = counted.where(*_filled(sealed)).group_by(key_id)
        times = {bytes(row.key_id): row.times for row in await self._database.reads.scan(statement)}
        current, *previous = self._ring.key_ids
        present, older = times.pop(current, 0), sum(times.pop(each, 0) for each in previous)
        return Seals(present, older, sum(times.values()))

    async def reseal(self) -> Resealed:
        """Seal under the present secret key what is sealed under a previous one.

        One value in each transaction, and only if it is still what was read: safe beside running services, and to
        be killed and begun again.
        """
        outcome = Resealed()
        for sealed in self.columns:
            async for key, old in self._outdated(sealed):
                try:
                    value = self._ring.open(old, sealed.purpose(key))
                except Unsealable:
                    outcome.unopened[sealed.name] += 1
                    continue
                outcome.done[sealed.name] += await self._replace(sealed, key, old, value)
        return outcome

    async def _replace(self, sealed: SealedColumn, key: Any, old: bytes, value: bytes) -> int:
        new = self._ring.seal(value, sealed.purpose(key))
        unchanged = update(sealed.column.class_).where(sealed.key == key, sealed.column == old)
        statement = unchanged.values({sealed.column: new}).execution_options(synchronize_session=False)
        async with self._database.write() as transaction:
            return (await transaction.execute(statement)).rowcount

    async def _outdated(self, sealed: SealedColumn) -> AsyncGenerator[tuple[Any, bytes]]:
        """Yield the key and the value of each row that is not sealed under the present secret key."""
        wanted = (
            select(sealed.key.label("key"), sealed.column.label("value"))
            .where(*_filled(sealed), _key_id(sealed) != self._ring.key_ids[0])
            .order_by(sealed.key)
            .limit(_PAGE)
        )
        page = await self._database.reads.scan(wanted)
        while page:
            for row in page:
                yield row.key, row.value
            page = await self._database.reads.scan(wanted.where(sealed.key > page[-1].key))


def _filled(sealed: SealedColumn) -> tuple[ColumnElement[bool], ...]:
    # What is empty was erased.
    return sealed.column.is_not(None), func.length(sealed.column) > 0


def _key_id(sealed: SealedColumn) -> ColumnElement[bytes]:
    return func.substr(sealed.column, 1, KEY_ID_BYTES, type_=LargeBinary())
