"""What every table is made of: base class, naming convention, portable column types."""

from datetime import UTC, datetime
from typing import Any, ClassVar, override
from uuid import UUID

from sqlalchemy import JSON, DateTime, Dialect, LargeBinary, MetaData, String, TypeDecorator, Uuid
from sqlalchemy.orm import DeclarativeBase

__all__ = ["Base", "Canonical", "Digest", "SealedBytes", "UtcDateTime"]

# Named constraints from the first table on: Alembic cannot alter unnamed ones on SQLite.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware UTC in Python on every database, refused when naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime is not an instant")
        return value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def Canonical(length: int) -> Any:  # noqa: N802  reads as a column type
    """Return a text type that compares by code point everywhere, so that prefix ranges can use the index."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


Digest = LargeBinary(32)
"""SHA-256 of a secret that we do not keep."""


class SealedBytes(LargeBinary):
    """Bytes sealed by `core.secrets.KeyRing`, useless without the secret key.

    A column of them stands in `wiring.sealed_columns`, so that it is sealed anew when the secret key changes.
    """


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        UUID: Uuid(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }
