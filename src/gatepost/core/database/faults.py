"""What drivers raise when a database is busy or gone, in our own words."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from traceback import walk_tb

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatepost.core.errors import TransactionConflict, Unavailable

__all__ = ["DatabaseUnavailable", "translated"]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or did not answer in time."""

    code = "database-unavailable"
    sentence = "The service cannot reach its database. Try again shortly."


_RETRYABLE = {"40001", "40P01"}
_TIMED_OUT = {"57014", "55P03", "25P03"}
# Connection lost, server shutting down, out of resources, not let in, no such database.
_CONNECTION_CLASSES = ("08", "57P", "53", "28", "3D")


@contextmanager
def translated() -> Generator[None]:
    """Turn what drivers raise when a database is busy or gone into our own words; the rest passes."""
    try:
        yield
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")
        if state in _RETRYABLE:
            raise TransactionConflict(state) from error
        if error.connection_invalidated or state in _TIMED_OUT or state.startswith(_CONNECTION_CLASSES):
            raise DatabaseUnavailable from error
        # Of SQLite the bare DatabaseError is a file that is damaged, or no database.
        if isinstance(error, OperationalError | InterfaceError) or type(error.orig) is sqlite3.DatabaseError:
            raise DatabaseUnavailable from error
        raise
    except (PoolTimeout, sqlite3.OperationalError) as error:
        raise DatabaseUnavailable from error
    except OSError as error:
        # A driver lets the socket's own error and its time-out (an OSError too) through as they are. What the
        # caller's own code raised meanwhile is no word about the database.
        if not _passed_a_driver(error):
            raise
        raise DatabaseUnavailable from error


def _passed_a_driver(error: BaseException) -> bool:
    frames = walk_tb(error.__traceback__)
    return any(
        frame.f_globals.get("__name__", "").startswith(("asyncpg", "aiosqlite")) for frame, _ in frames
    )
