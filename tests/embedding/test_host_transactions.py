"""One transaction with the host: `gatepost.work(session)` joins, and whether it counts is for the host to say."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from gatepost import Consumer, Gatepost, RecordedEvent, Settings, UserRegistered
from gatepost import worker as worker_module
from gatepost.accounts import Accounts, NewAccount
from gatepost.core.wake import Wake
from gatepost.login import TOKEN_ENDPOINT, Credentials, InvalidCredentials, Login
from gatepost.users import EmailTaken
from tests.make import PASSWORD, Make

Sessions = async_sessionmaker[AsyncSession]

ADA = NewAccount(email="ada@example.com", password=PASSWORD)


@pytest.fixture(params=["our-engine", "own-engine"])
async def sessions(request: pytest.FixtureRequest, gatepost: Gatepost) -> AsyncIterator[Sessions]:
    """The host's sessions: on Gatepost's engine, or on one that the host made for itself."""
    if request.param == "our-engine":
        yield async_sessionmaker(gatepost.database.engine)
        return
    driver = "sqlite+aiosqlite" if gatepost.database.is_sqlite else "postgresql+asyncpg"
    engine = create_async_engine(gatepost.database.url.set(drivername=driver))
    if gatepost.database.is_sqlite:
        event.listen(engine.sync_engine, "connect", _with_foreign_keys)
    yield async_sessionmaker(engine)
    await engine.dispose()


def _with_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON").close()


async def sign_up(gatepost: Gatepost, session: AsyncSession, new: NewAccount = ADA) -> None:
    async with gatepost.work(session) as work:
        await gatepost.build(Accounts, work).sign_up(new)


async def counts(gatepost: Gatepost) -> tuple[int, ...]:
    """Return how many people, passwords and registrations there are."""
    tables = ("users", "passwords", "events WHERE type = 'user.registered'")
    rows = [await gatepost.database.reads.first(text(f"SELECT count(*) FROM {table}")) for table in tables]
    return tuple(row[0] for row in rows if row)


async def test_nothing_counts_before_the_host_commits(gatepost: Gatepost, sessions: Sessions) -> None:
    async with sessions() as session:
        await sign_up(gatepost, session)
        assert await counts(gatepost) == (0, 0, 0)
        await session.commit()

    assert await counts(gatepost) == (1, 1, 1)


async def test_a_host_that_rolls_back_leaves_no_user(gatepost: Gatepost, sessions: Sessions) -> None:
    async with sessions() as session:
        await sign_up(gatepost, session)
        await session.rollback()

    assert await counts(gatepost) == (0, 0, 0)


async def test_a_host_that_crashes_leaves_no_user(gatepost: Gatepost, sessions: Sessions) -> None:
    async def crash() -> None:
        async with sessions.begin() as session:
            await sign_up(gatepost, session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crash()

    assert await counts(gatepost) == (0, 0, 0)


async def test_a_taken_address_leaves_the_hosts_savepoint_usable(
    gatepost: Gatepost, sessions: Sessions, make: Make
) -> None:
    await make.user("ada@example.com")

    async with sessions.begin() as session:
        with pytest.raises(EmailTaken):
            async with session.begin_nested():
                await sign_up(gatepost, session)
        await sign_up(gatepost, session, NewAccount(email="bob@example.com", password=PASSWORD))

    assert await counts(gatepost) == (2, 2, 2)


async def test_several_units_share_the_hosts_transaction(gatepost: Gatepost, sessions: Sessions) -> None:
    async with sessions.begin() as session:
        for name in ("ada", "bob", "cleo"):
            await sign_up(gatepost, session, NewAccount(email=f"{name}@example.com", password=PASSWORD))
        async with gatepost.work(session) as work:
            people = await session.execute(text("SELECT count(*) FROM users"))
            assert people.scalar_one() == 3
            assert work.session is session

    assert await counts(gatepost) == (3, 3, 3)


@pytest.mark.parametrize("commits", [True, False])
async def test_keeping_the_trace_of_a_refusal_is_the_hosts_duty(
    gatepost: Gatepost, sessions: Sessions, make: Make, commits: bool
) -> None:
    person = await make.user()

    async with sessions() as session:
        with pytest.raises(InvalidCredentials) as refused:
            async with gatepost.work(session) as work:
                await gatepost.build(Login, work).with_password(
                    TOKEN_ENDPOINT, Credentials(username=person.email, password="wrong-lighthouse-1")
                )
        assert refused.value.keep_changes
        await (session.commit() if commits else session.rollback())

    failures = await gatepost.database.reads.rows(text("SELECT id FROM events WHERE type = 'login.failed'"))
    assert len(failures) == int(commits)


class Counted(Wake):
    """Counts how often the workers were woken."""

    times = 0

    def now(self, names: Iterable[str] = ()) -> None:
        self.times += 1


@pytest.fixture
async def woken(gatepost: Gatepost) -> Counted:
    """What stands for the worker: somebody listens, and is told after the commit."""

    async def listen(_event: RecordedEvent) -> None:
        raise AssertionError

    gatepost.events.consumers["crm"] = Consumer("crm", {UserRegistered}, listen)
    gatepost.wake = Counted(None, gatepost.log)
    return gatepost.wake


async def test_the_worker_is_woken_after_the_hosts_commit(
    gatepost: Gatepost, sessions: Sessions, woken: Counted
) -> None:
    async with sessions() as session:
        async with session.begin_nested():
            await sign_up(gatepost, session)
        assert woken.times == 0
        await session.commit()
        assert woken.times == 1
        await session.execute(text("SELECT 1"))
        await session.commit()

    assert woken.times == 1


async def test_units_that_were_rolled_back_wake_nobody_at_a_later_commit(
    gatepost: Gatepost, sessions: Sessions, woken: Counted
) -> None:
    async with sessions() as session:
        for end in (session.rollback, session.rollback, session.close):
            await sign_up(gatepost, session)
            await end()
        await session.execute(text("SELECT 1"))
        await session.commit()

    assert woken.times == 0


async def test_a_unit_in_a_savepoint_that_was_undone_wakes_nobody(
    gatepost: Gatepost, sessions: Sessions, woken: Counted
) -> None:
    async with sessions.begin() as session:
        outer = await session.begin_nested()
        async with session.begin_nested():
            await sign_up(gatepost, session)
        await outer.rollback()

    assert await counts(gatepost) == (0, 0, 0)
    assert woken.times == 0


async def test_a_session_that_lives_long_gathers_no_listeners(
    gatepost: Gatepost, sessions: Sessions, woken: Counted
) -> None:
    async def units(number: int) -> tuple[int, ...]:
        for unit in range(number):
            await sign_up(gatepost, session, NewAccount(email=f"ada{unit}@example.com", password=PASSWORD))
            await session.rollback()
        dispatch: Any = session.sync_session.dispatch
        return len(dispatch.after_commit), len(dispatch.after_transaction_end), len(session.info)

    async with sessions() as session:
        assert await units(1) == await units(3)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_without_foreign_keys_is_refused_before_anything_is_left_behind(
    gatepost: Gatepost, make: Make
) -> None:
    await make.signed_in()
    engine = create_async_engine(gatepost.database.url.set(drivername="sqlite+aiosqlite"))

    async def erase() -> None:
        async with async_sessionmaker(engine).begin() as session, gatepost.work(session) as work:
            await work.execute(text("DELETE FROM users"))

    with pytest.raises(RuntimeError, match=r"use gatepost\.database\.engine"):
        await erase()
    await engine.dispose()

    row = await gatepost.database.reads.first(text("SELECT count(*) FROM users"))
    assert row is not None
    assert row[0] == 1


async def test_the_hosts_commit_wakes_the_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "LONGEST_SLEEP", 3600.0)
    told = asyncio.Event()
    working = settings.model_copy(update={"run_worker": True})
    gatepost = Gatepost(working, consumers=[Consumer("crm", {UserRegistered}, _setting(told))])

    async with gatepost.lifespan():
        sessions = async_sessionmaker(gatepost.database.engine)
        async with sessions.begin() as session:
            await sign_up(gatepost, session)
        # Without being woken it would sleep for an hour.
        async with asyncio.timeout(30):
            await told.wait()


def _setting(told: asyncio.Event) -> Callable[[RecordedEvent], Awaitable[None]]:
    async def run(_event: RecordedEvent) -> None:
        told.set()

    return run
