"""fastapi-users as a subject: as documented, and tuned."""

from pathlib import Path

from bench.databases import PostgresStore, SqliteStore, Store
from bench.peers import environment
from bench.site import Site
from bench.subjects import Api, Seeded, Subject

NAME = "fastapi-users"
_API = Api(
    health="/health", register="/auth/register", token="/auth/jwt/login", me="/users/me", registered=201
)
_TABLES = (Seeded("user", owner="id", addresses=("email",)),)
_INDEX = 'CREATE INDEX IF NOT EXISTS ix_user_lower_email ON "user" (lower(email))'
_TUNED_POOL = "20"


def on_postgresql(site: Site, *, tuned: bool) -> Subject:
    """As documented; tuned adds an index on lower(email), a pool as wide as the load, and no access log."""
    store = PostgresStore(site.postgres.address("peer"))
    url = site.postgres.address("peer", "asyncpg")
    return _subject("postgresql", url, store, site.directory("peer-pg"), tuned=tuned)


def on_sqlite(site: Site, *, tuned: bool) -> Subject:
    """As documented, on a file; tuned as above."""
    directory = site.directory("peer-sqlite")
    path = directory / "peer.db"
    return _subject("sqlite", f"sqlite+aiosqlite:///{path}", SqliteStore(path), directory, tuned=tuned)


def _subject(database: str, url: str, store: Store, directory: Path, *, tuned: bool) -> Subject:
    server = [str(environment.python(NAME)), "-m", "uvicorn", "peer_app:app", "--port", "{port}"]
    server += ["--app-dir", str(Path(__file__).parent / "example"), "--loop", "uvloop", "--http", "httptools"]
    variables = {"PEER_DATABASE_URL": url, "PEER_SECRET": "not-a-secret-of-the-bench-but-long-enough"}
    return Subject(
        key=f"peer-{database}-tuned" if tuned else f"peer-{database}",
        name="fastapi-users, tuned" if tuned else "fastapi-users",
        database=database,
        directory=directory,
        command=tuple([*server, "--no-access-log"] if tuned else server),
        environment={**variables, "PEER_POOL": _TUNED_POOL} if tuned else variables,
        api=_API,
        store=store,
        tables=_TABLES,
        adjust=(_INDEX,) if tuned else (),
    )
