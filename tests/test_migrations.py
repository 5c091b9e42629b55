"""The schema's history: it leads to the models and back, many may walk it at once, and queries find their index."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from joserfc.jwk import ECKey
from pytest_alembic.tests import (  # noqa: F401  four tests of its own
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Connection, column, insert, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gatepost import Gatepost
from gatepost.access import RoleAssignment
from gatepost.core.clock import MovableClock
from gatepost.core.database import Database, DatabaseOptions, engines
from gatepost.core.errors import Stopped
from gatepost.core.events import EventRow
from gatepost.core.ids import new_id
from gatepost.core.secrets import KeyRing
from gatepost.login import queries as login
from gatepost.migrations import (
    HEAD,
    VERSION_TABLE,
    SchemaMismatch,
    commands,
    current_revision,
    require_current,
)
from gatepost.migrations.commands import config, differences, upgrade
from gatepost.passwords import Password
from gatepost.passwords import queries as passwords
from gatepost.sessions import Session, SessionOptions
from gatepost.tokens import SigningKey, SigningKeys
from gatepost.tokens import queries as tokens
from gatepost.tokens.models import RefreshFamily
from gatepost.users import User
from gatepost.users import queries as users
from gatepost.users.schemas import UserFilter
from tests import databases
from tests.conftest import SECRET, make_settings
from tests.processes import environment, run
from tests.services import missing_reason

ROOT = Path(__file__).parent.parent
PEOPLE = 4000


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, once for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with databases.postgres_database() as url:
        yield url


@pytest.fixture
def alembic_engine(empty_url: str) -> AsyncEngine:
    return Database(empty_url).engine


@pytest.fixture
def alembic_config() -> Config:
    return config()


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    async for opened in _opened(empty_url):
        yield opened


@pytest.fixture
async def migrated(database_url: str) -> AsyncIterator[Database]:
    async for opened in _opened(database_url):
        yield opened


async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


# ── the way there and back ───────────────────────────────────────────────────────────────────────


def test_head_is_the_newest_script() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


async def test_migrations_lead_to_the_models(empty: Database) -> None:
    await upgrade(empty)

    assert await differences(empty) == []
    assert await current_revision(empty) == HEAD


async def test_upgrading_twice_changes_nothing(migrated: Database) -> None:
    before = await tables(migrated)
    async with migrated.write() as transaction:
        await transaction.execute(insert(User).values(person(1)))

    await upgrade(migrated)

    assert await tables(migrated) == before
    assert len(await migrated.reads.rows(text("SELECT id FROM users"))) == 1


async def test_several_upgrades_at_once_all_succeed(empty_url: str) -> None:
    several = [Database(empty_url) for _ in range(4)]

    await asyncio.gather(*(upgrade(each) for each in several))

    assert {await current_revision(each) for each in several} == {HEAD}
    assert await differences(several[0]) == []
    for each in several:
        await each.close()


async def test_processes_that_upgrade_at_once_all_succeed(empty_url: str, tmp_path: Path) -> None:
    several = [
        asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gatepost", "db", "upgrade"),
            cwd=tmp_path,
            env=environment(tmp_path, {"GATEPOST_DATABASE_URL": empty_url}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        for _ in range(3)
    ]
    running = await asyncio.gather(*several)
    said = [(await each.communicate())[0].decode() for each in running]

    assert [each.returncode for each in running] == [0, 0, 0], said


async def test_downgrading_to_the_base_leaves_nothing(migrated: Database) -> None:
    def down(connection: Connection) -> None:
        command.downgrade(config(connection), "base")

    async with migrated.engine.begin() as connection:
        await connection.run_sync(down)

    assert await tables(migrated) == {VERSION_TABLE}
    await upgrade(migrated)
    assert await differences(migrated) == []


# ── a table that is changed keeps what hangs on it ───────────────────────────────────────────────

ANOTHER = """
import sqlalchemy as sa
from alembic import op

revision = "{new}"
down_revision = "{head}"


def upgrade() -> None:
    {change}
"""
NEXT = f"{int(HEAD) + 1:04}"
WIDER_NAME = """with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(length=200), type_=sa.String(length=300))
"""
NOBODY = 'op.execute("DELETE FROM users")'


def with_another_revision(directory: Path, change: str) -> Path:
    """Return a copy of the scripts with one more that makes the change."""
    scripts = directory / "migrations"
    shutil.copytree(Path(config().get_main_option("script_location") or ""), scripts)
    text = ANOTHER.format(change=change, new=NEXT, head=HEAD)
    (scripts / "versions" / f"{NEXT}_another.py").write_text(text)
    return scripts


async def somebody(database: Database) -> None:
    """Add a person with all that hangs on one."""
    async with database.write() as transaction:
        await transaction.execute(insert(User).values(person(1)))
        await transaction.execute(insert(Password).values(user_id=IDS[1], hash="x", changed_at=NOW))
        await transaction.execute(insert(RoleAssignment).values(user_id=IDS[1], role="admin", granted_at=NOW))
        await transaction.execute(insert(Session).values(session_of(1, IDS[1])))
        await transaction.execute(insert(RefreshFamily).values(refresh_family_of(1)))


async def counted(database: Database) -> dict[str, int]:
    tables = ("users", "passwords", "role_assignments", "sessions", "refresh_families")
    return {table: len(await database.reads.rows(text(f"SELECT 1 FROM {table}"))) for table in tables}


ONE_OF_EACH = {"users": 1, "passwords": 1, "role_assignments": 1, "sessions": 1, "refresh_families": 1}
NONE_OF_EACH = dict.fromkeys(ONE_OF_EACH, 0)


async def test_changing_the_table_of_people_loses_nothing(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await somebody(migrated)
    scripts = await asyncio.to_thread(with_another_revision, tmp_path, WIDER_NAME)
    # The scripts are those beside this file.
    monkeypatch.setattr(commands, "__file__", str(scripts / "commands.py"))

    await upgrade(migrated)

    assert await current_revision(migrated) == NEXT
    assert await counted(migrated) == ONE_OF_EACH


async def test_the_alembic_command_loses_nothing_either(
    migrated: Database, database_url: str, tmp_path: Path
) -> None:
    await somebody(migrated)
    scripts = await asyncio.to_thread(with_another_revision, tmp_path, WIDER_NAME)
    ini = tmp_path / "alembic.ini"
    await asyncio.to_thread(ini.write_text, f"[alembic]\nscript_location = {scripts}\n")

    assert await alembic(tmp_path, database_url, "-c", str(ini), "upgrade", "head") == (0, "")

    assert await counted(migrated) == ONE_OF_EACH


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_migration_that_would_leave_loose_ends_is_undone(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await somebody(migrated)
    scripts = await asyncio.to_thread(with_another_revision, tmp_path, NOBODY)
    monkeypatch.setattr(commands, "__file__", str(scripts / "commands.py"))

    with pytest.raises(Stopped, match="in passwords, role_assignments, sessions"):
        await upgrade(migrated)

    assert await current_revision(migrated) == HEAD
    assert await counted(migrated) == ONE_OF_EACH


async def test_after_a_migration_what_hangs_on_a_person_goes_with_them(migrated: Database) -> None:
    await upgrade(migrated)
    await somebody(migrated)

    async with migrated.write() as transaction:
        await transaction.execute(text("DELETE FROM users"))

    assert await counted(migrated) == NONE_OF_EACH


# ── keys of the version before ───────────────────────────────────────────────────────────────────

OLD_COLUMNS = ("kid", "algorithm", "public_jwk", "private_sealed", "created_at", "is_current")


async def a_key_of_before(database: Database, *, is_current: bool | None) -> str:
    """Add a key as version 0003 of the schema has it, written as that version writes it."""
    jwk = ECKey.generate_key("P-256")
    kid = jwk.thumbprint()
    private = json.dumps(jwk.as_dict(private=True)).encode()
    public = {**jwk.as_dict(private=False), "kid": kid, "use": "sig", "alg": "ES256"}
    sealed = KeyRing([SECRET]).seal(private, f"signing_keys.private_sealed:{kid}")
    old = table(SigningKey.__tablename__, *(column(n, SigningKey.__table__.c[n].type) for n in OLD_COLUMNS))
    async with database.write() as transaction:
        values = dict(zip(OLD_COLUMNS, (kid, "ES256", public, sealed, NOW, is_current), strict=True))
        await transaction.execute(insert(old).values(values))
    return kid


async def test_after_an_upgrade_the_key_of_before_goes_on_signing(
    empty: Database, empty_url: str, tmp_path: Path
) -> None:
    await upgrade(empty, "0003")
    retired = await a_key_of_before(empty, is_current=None)
    signing = await a_key_of_before(empty, is_current=True)

    await upgrade(empty)

    service = Gatepost(make_settings(empty_url, tmp_path), clock=MovableClock(NOW + timedelta(days=1)))
    async with service.lifespan():
        assert (await service.keys.signing()).kid == signing
        assert {key["kid"] for key in (await service.keys.jwks())["keys"]} == {retired, signing}
        # The version before may still run, and replace a key in its own way.
        async with empty.write() as transaction:
            await transaction.execute(text("UPDATE signing_keys SET is_current = NULL"))
        replaced = await a_key_of_before(empty, is_current=True)
        await service.schedule.run_all()
        listed = await service.build(SigningKeys, service.reading()).listed()
    assert {key.kid: (key.state, key.kept_until is not None) for key in listed} == {
        retired: ("retired", True),
        signing: ("retired", True),
        replaced: ("signing", False),
    }


async def test_a_downgrade_revives_no_revoked_key(
    migrated: Database, database_url: str, tmp_path: Path
) -> None:
    service = Gatepost(make_settings(database_url, tmp_path))
    async with service.lifespan():
        revoked = (await service.keys.signing()).kid
        await service.run(lambda work: service.build(SigningKeys, work).revoke(revoked))
        signing = (await service.keys.signing()).kid
        await service.run(lambda work: service.build(SigningKeys, work).prepare())

    def down(connection: Connection) -> None:
        command.downgrade(config(connection), "0003")

    async with migrated.engine.begin() as connection:
        await connection.run_sync(down)

    rows = await migrated.reads.rows(text("SELECT kid, is_current FROM signing_keys"))
    assert [(row.kid, bool(row.is_current)) for row in rows] == [(signing, True)]


# ── a schema that is not ours ────────────────────────────────────────────────────────────────────


async def test_f22_a_newer_schema_is_refused(migrated: Database) -> None:
    async with migrated.write() as transaction:
        await transaction.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(SchemaMismatch, match="newer"):
        await require_current(migrated)


async def test_a_missing_schema_is_refused(empty: Database) -> None:
    with pytest.raises(SchemaMismatch, match="gatepost db upgrade"):
        await require_current(empty)


# ── the alembic command, from a checkout ─────────────────────────────────────────────────────────


async def alembic(directory: Path, url: str, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *arguments),
        cwd=ROOT,
        env=environment(directory, {"GATEPOST_DATABASE_URL": url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_alembic_upgrades_compares_and_downgrades(empty_url: str, tmp_path: Path) -> None:
    assert await alembic(tmp_path, empty_url, "upgrade", "head") == (0, "")
    code, said = await alembic(tmp_path, empty_url, "check")
    assert (code, said.splitlines()[-1]) == (0, "No new upgrade operations detected."), said
    code, said = await alembic(tmp_path, empty_url, "current")
    assert (code, said.strip()) == (0, f"{HEAD} (head)")
    assert (await alembic(tmp_path, empty_url, "downgrade", "base"))[0] == 0


async def test_alembic_makes_the_embedded_database(tmp_path: Path) -> None:
    code, said = await alembic(tmp_path, "", "upgrade", "head")

    assert code == 0, said
    assert (tmp_path / "data" / "gatepost.db").exists()


async def test_alembic_writes_what_differs_as_a_revision_of_both_kinds(
    migrated: Database, tmp_path: Path
) -> None:
    scripts = tmp_path / "migrations"
    shutil.copytree(Path(config().get_main_option("script_location") or ""), scripts)
    async with migrated.engine.begin() as connection:
        await connection.execute(text("DROP INDEX ix_users_created_at_id"))

    def write(connection: Connection) -> Any:
        made = config(connection)
        made.set_main_option("script_location", str(scripts))
        return command.revision(made, "an index is back", autogenerate=True, rev_id=NEXT)

    async with migrated.engine.begin() as connection:
        script = await connection.run_sync(write)

    written = await asyncio.to_thread(Path(script.path).read_text)
    assert f'down_revision = "{HEAD}"' in written.replace("'", '"')
    assert 'create_index("ix_users_created_at_id"' in written.replace("'", '"')


def test_db_upgrade_says_when_there_is_nothing_to_do(database_url: str, tmp_path: Path) -> None:
    done = run(tmp_path, "db", "upgrade", "--json", settings={"GATEPOST_DATABASE_URL": database_url})

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.replace(" ", "") == f'{{"from":"{HEAD}","to":"{HEAD}"}}\n'


# ── queries find their index ─────────────────────────────────────────────────────────────────────

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = [new_id() for _ in range(PEOPLE)]


def person(number: int) -> dict[str, Any]:
    joined = NOW - timedelta(minutes=number)
    address = f"person{number}@example.com"
    return {
        "id": IDS[number],
        "email": address,
        "email_canonical": address,
        "name": None,
        "is_active": True,
        "created_at": joined,
        "updated_at": joined,
        "version": 1,
    }


def session_of(number: int, session_id: UUID) -> dict[str, Any]:
    return {
        "id": session_id,
        "user_id": IDS[number],
        "client_id": "first-party",
        "auth_time": NOW,
        "amr": ["pwd"],
        "acr": "one",
        "created_at": NOW,
        "last_seen_at": NOW,
        "remember": True,
        "expires_at": NOW + timedelta(days=30),
    }


def refresh_family_of(number: int) -> dict[str, Any]:
    return {
        "session_id": IDS[number],
        "user_id": IDS[number],
        "client_id": "first-party",
        "scope": "account",
        "expires_at": NOW + timedelta(days=30),
        "digest": IDS[number].bytes * 2,
        "generation": 1,
        "rotated_at": NOW,
    }


def event_of(number: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "type": "session.ended" if number % 2 else "login.failed",
        "at": NOW - timedelta(minutes=number),
        "subject": IDS[number],
        "data": {"session_id": str(IDS[number])},
    }


@pytest.fixture
async def crowded(migrated: Database) -> Database:
    """A database with some thousand people, each signed in, which knows how its rows are spread."""
    everyone = range(PEOPLE)
    async with migrated.write() as transaction:
        await transaction.execute(insert(User), [person(number) for number in everyone])
        hashes = [{"user_id": each, "hash": "x", "changed_at": NOW} for each in IDS]
        await transaction.execute(insert(Password), hashes)
        roles = [{"user_id": each, "role": "admin", "granted_at": NOW} for each in IDS[::100]]
        await transaction.execute(insert(RoleAssignment), roles)
        await transaction.execute(insert(Session), [session_of(number, IDS[number]) for number in everyone])
        # A second device each: going by the person is then worse than going by the session.
        await transaction.execute(insert(Session), [session_of(number, new_id()) for number in everyone])
        await transaction.execute(insert(RefreshFamily), [refresh_family_of(number) for number in everyone])
        await transaction.execute(insert(EventRow), [event_of(number) for number in everyone])
    async with migrated.write() as transaction:
        await transaction.execute(text("ANALYZE"))
    return migrated


async def plan(database: Database, query: Any, parameters: Mapping[str, Any] | None = None) -> str:
    """Return how the database would find the rows, as it tells it."""
    filled = query.params(parameters or {}).compile(
        database.engine, compile_kwargs={"literal_binds": True, "render_postcompile": True}
    )
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    async with database.engine.connect() as connection:
        rows = (await connection.exec_driver_sql(f"{explain} {filled}")).all()
    return "\n".join(str(row[-1]) for row in rows)


def finds(plan: str, index: str) -> bool:
    """Tell whether it goes by that index, and reads no table of many rows from end to end."""
    reads_all = any(
        "Seq Scan" in line or (line.startswith("SCAN") and "INDEX" not in line)
        for line in plan.splitlines()
        if "role_assignments" not in line
    )
    return index in plan and not reads_all and "TEMP B-TREE" not in plan and "Sort" not in plan


def test_a_plan_that_reads_everything_is_not_taken_for_a_good_one() -> None:
    assert not finds("Seq Scan on users", "users")
    assert not finds("SCAN users", "users")
    assert not finds("SCAN users USING INDEX ix\nUSE TEMP B-TREE FOR ORDER BY", "ix")


def _unique(database: Database, table: str, constraint: str, number: int) -> str:
    # SQLite gives the index of a constraint a name of its own.
    return f"sqlite_autoindex_{table}_{number}" if database.is_sqlite else constraint


async def test_signing_in_finds_the_address_by_index(crowded: Database) -> None:
    found = await plan(crowded, passwords.BY_EMAIL, {"email_canonical": "person7@example.com"})

    assert finds(found, _unique(crowded, "users", "uq_users_email_canonical", 2)), found


async def test_letting_somebody_in_finds_the_person_by_index(crowded: Database) -> None:
    found = await plan(crowded, login.STANDING_NOW, {"user_id": IDS[7]})

    assert finds(found, _unique(crowded, "users", "pk_users", 1)), found


async def test_an_authenticated_request_finds_session_and_person_by_index(crowded: Database) -> None:
    wanted = {"session_id": IDS[7], "user_id": IDS[7], **SessionOptions().bounds(NOW)}
    found = await plan(crowded, tokens.CALLER, wanted)

    assert finds(found, _unique(crowded, "sessions", "pk_sessions", 1)), found
    assert finds(found, _unique(crowded, "users", "pk_users", 1)), found


async def test_refreshing_finds_the_token_by_index(crowded: Database) -> None:
    found = await plan(crowded, tokens.FAMILY, {"session_id": IDS[7]})

    assert finds(found, _unique(crowded, "refresh_families", "pk_refresh_families", 1)), found


async def test_the_sessions_that_ended_lately_are_found_by_index(crowded: Database) -> None:
    lately = {"at": NOW - timedelta(minutes=20), "id": IDS[0], "limit": 1001}
    found = await plan(crowded, tokens.ENDED_SESSIONS, lately)

    # Sorting the few that ended in one moment costs nothing; reading all would.
    assert "ix_events_type_at" in found, found
    assert "Seq Scan" not in found, found
    assert "SCAN" not in found.replace("Index Scan", "").replace("Bitmap Heap Scan", ""), found


@pytest.mark.parametrize("later", [False, True], ids=["first-page", "later-page"])
async def test_a_page_of_the_list_is_read_in_the_order_of_an_index(crowded: Database, later: bool) -> None:
    after = [NOW.isoformat(), str(IDS[9])] if later else None
    found = await plan(crowded, users.page(UserFilter(limit=50), None, None, after))

    assert finds(found, "ix_users_created_at_id"), found


@pytest.mark.parametrize("later", [False, True], ids=["first-page", "later-page"])
async def test_a_page_of_the_disabled_is_read_in_the_order_of_an_index(
    crowded: Database, later: bool
) -> None:
    after = [NOW.isoformat(), str(IDS[9])] if later else None
    wanted = users.page(UserFilter(limit=50, is_active=False), None, None, after)
    found = await plan(crowded, wanted)

    assert finds(found, "ix_users_is_active_created_at_id"), found


async def test_a_prefix_search_reads_a_range_of_an_index(crowded: Database) -> None:
    found = await plan(crowded, users.page(UserFilter(q="person1"), None, "person1", None))

    assert finds(found, _unique(crowded, "users", "uq_users_email_canonical", 2)), found
    assert "SEARCH" in found or "Index Cond" in found, found


async def test_finding_the_sessions_of_a_person_goes_by_index(crowded: Database) -> None:
    live = select(Session.id).where(Session.user_id == IDS[7], Session.ended_at.is_(None))
    found = await plan(crowded, live)

    assert finds(found, "ix_sessions_user_id_ended_at"), found


async def test_a_migration_may_take_longer_than_a_request_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    monkeypatch.setattr(engines, "_SILENCE", 0.1)
    with databases.postgres_database() as url:
        hasty = Database(url, DatabaseOptions(statement_timeout=0.1, lock_timeout=0.1))
        other = Database(url)
        async with other.engine.connect() as holder:
            await holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": commands._LOCK})
            waiting = asyncio.ensure_future(upgrade(hasty))
            await asyncio.wait([waiting], timeout=0.5)
            assert not waiting.done()
        await other.close()
        await waiting
        assert await current_revision(hasty) == HEAD
        await hasty.close()
