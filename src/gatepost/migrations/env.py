"""Runs migrations, on the connection that the caller brings or on the one the settings name."""

import asyncio
from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost.core.database import Database
from gatepost.core.models import Base, SealedBytes, UtcDateTime
from gatepost.migrations import VERSION_TABLE
from gatepost.migrations.commands import import_models, migrating
from gatepost.settings import Settings, make_data_dir

import_models()


def _portable(kind: str, value: object, _context: object) -> str | Literal[False]:
    # Migrations must not change their meaning when our own column types do.
    if kind == "type" and isinstance(value, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return "sa.LargeBinary()" if kind == "type" and isinstance(value, SealedBytes) else False


def migrate(connection: Connection) -> None:
    """Run the migrations that were asked for, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        compare_type=True,
        render_item=_portable,
        # SQLite cannot alter a table in place: Alembic copies it.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def _migrate_on(engine: AsyncEngine) -> None:
    try:
        async with migrating(engine) as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


def _engine_of_settings() -> AsyncEngine:
    settings = Settings()
    if settings.is_embedded:
        make_data_dir(settings)
    return Database(settings.database_location, settings.database).engine


brought = context.config.attributes.get("connection")
if isinstance(brought, Connection):
    migrate(brought)
else:
    asyncio.run(_migrate_on(brought or _engine_of_settings()))
