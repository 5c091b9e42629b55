"""The database: engines set up right, reads of one statement, and the only commit there is."""

from gatepost.core.database.database import Database
from gatepost.core.database.engines import DatabaseOptions, sqlite_path
from gatepost.core.database.faults import DatabaseUnavailable, translated
from gatepost.core.database.hosts import when_ended
from gatepost.core.database.readers import Reader
from gatepost.core.database.transactions import JoinedTransaction, Transaction

__all__ = [
    "Database",
    "DatabaseOptions",
    "DatabaseUnavailable",
    "JoinedTransaction",
    "Reader",
    "Transaction",
    "sqlite_path",
    "translated",
    "when_ended",
]
