"""Moving a database's schema: upgrade, compare with the models, write a new revision."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatepost.core.database import Database
from gatepost.core.errors import Stopped
from gatepost.core.models import Base
from gatepost.migrations import VERSION_TABLE

__all__ = ["differences", "import_models", "migrating", "revision", "upgrade"]

# Any number; all who migrate a PostgreSQL database of ours must choose the same.
_LOCK = 7_146_803_252
_A_DAY = 86_400.0
_TABLES = ("core.events", "core.idempotency", "core.schedule")
_ROOMS = (
    "users",
    "access",
    "proofs",
    "sessions",
    "passkeys",
    "passwords",
    "mfa",
    "tokens",
    "login",
    "accounts",
    "notices",
    "testing",
)


def import_models() -> None:
    """Import every room that has tables, so that all of them are known."""
    for module in (*_TABLES, *_ROOMS):
        import_module(f"gatepost.{module}")


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for the scripts in this package."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


@asynccontextmanager
async def migrating(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Open the transaction that migrations run in. Raises Stopped, and undoes all, if rows lost what they point at.

    To change a table on SQLite is to copy it and drop the old one, which takes along what hangs on its rows. So
    the foreign keys rest meanwhile, and are checked before the commit.
    """
    async with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            async with connection.begin():
                yield connection
            return
        # Inside a transaction the pragma does nothing, and SQLAlchemy would begin one.
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await (await raw.execute("PRAGMA foreign_keys = OFF")).close()
        try:
            async with connection.begin():
                yield connection
                await _require_whole(connection)
        finally:
            await (await raw.execute("PRAGMA foreign_keys = ON")).close()


async def _require_whole(connection: AsyncConnection) -> None:
    lost = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
    if lost:
        tables = ", ".join(sorted({row[0] for row in lost}))
        raise Stopped(
            f"The migration would leave rows that point at nothing, in {tables}. Nothing was changed."
        )


async def upgrade(database: Database, to: str = "head") -> None:
    """Migrate the database forward. Of several that try at once one does it, the others wait and find it done."""

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(config(connection), to)

    async with _patient(database) as engine, migrating(engine) as connection:
        await connection.run_sync(run)


@asynccontextmanager
async def _patient(database: Database) -> AsyncGenerator[AsyncEngine]:
    """Yield an engine for work that may take longer than a request may: a large index, a wait for its turn."""
    if database.is_sqlite:
        yield database.engine
        return
    options = database.options.model_copy(update={"statement_timeout": _A_DAY, "lock_timeout": _A_DAY})
    patient = Database(database.url.render_as_string(hide_password=False), options)
    try:
        yield patient.engine
    finally:
        await patient.close()


async def differences(database: Database) -> list[Any]:
    """Return what a migration would have to change for the database to equal the models."""
    import_models()

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


async def revision(database: Database, message: str, revision_id: str) -> Path:
    """Write a new revision with what differs between the database and the models; return its file."""

    def write(connection: Connection) -> Path:
        script: Any = command.revision(config(connection), message, autogenerate=True, rev_id=revision_id)
        return Path(script.path)

    async with database.engine.begin() as connection:
        return await connection.run_sync(write)
