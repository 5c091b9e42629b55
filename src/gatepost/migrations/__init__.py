"""The schema's history, inside the package so that an installed copy can migrate.

`HEAD` is the revision that this version of the code needs; a test holds it against the scripts.
"""

from sqlalchemy import column, select, table
from sqlalchemy.exc import DBAPIError

from gatepost.core.database import Database, DatabaseUnavailable, sqlite_path
from gatepost.core.errors import Unavailable

__all__ = ["HEAD", "VERSION_TABLE", "SchemaMismatch", "current_revision", "require_current"]

HEAD = "0011"
VERSION_TABLE = "gatepost_version"

_VERSION = select(column("version_num")).select_from(table(VERSION_TABLE))


class SchemaMismatch(Unavailable):
    """The database's schema is missing, older or newer than this version of the code needs."""

    code = "schema-mismatch"


async def current_revision(database: Database) -> str | None:
    """Return the revision of the database's schema, None if it has none. Raises DatabaseUnavailable."""
    if database.is_sqlite and not sqlite_path(database.url).exists():
        return None
    try:
        row = await database.reads.first(_VERSION)
    except DatabaseUnavailable as error:
        if "no such table" in str(error.__cause__):
            return None
        raise
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "42P01":  # undefined_table
            return None
        raise
    return row.version_num if row else None


async def require_current(database: Database) -> None:
    """Raise SchemaMismatch unless the schema is exactly the one this code was made for."""
    found = await current_revision(database)
    if found == HEAD:
        return
    if found is None:
        raise SchemaMismatch("The database has no Gatepost schema yet. Make it: gatepost db upgrade")
    if found < HEAD:
        raise SchemaMismatch(
            f"The database is at revision {found}, older than {HEAD}. Migrate it: gatepost db upgrade"
        )
    raise SchemaMismatch(
        f"The database is at revision {found}, newer than {HEAD}. Install the version that made it."
    )
