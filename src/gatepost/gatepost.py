"""The object a host holds: one user service with its settings, its database and its application."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp

from gatepost.app import STATUSES, build_app, root_routes
from gatepost.core.bus import Bus
from gatepost.core.clock import Clock, ShiftedClock, SystemClock
from gatepost.core.database import Database, JoinedTransaction, translated, when_ended
from gatepost.core.errors import DomainError, TransactionConflict, Unavailable
from gatepost.core.events import Consumer, EventLog, Recorder
from gatepost.core.hashing import Hashing
from gatepost.core.http.cookies import Cookies
from gatepost.core.http.health import operators_pages
from gatepost.core.http.operators import OperatorsPort
from gatepost.core.http.problems import Problems
from gatepost.core.idempotency import Idempotency
from gatepost.core.limits import Limiter
from gatepost.core.logging import Logger, make_logger
from gatepost.core.mail import NoTransport, Transport
from gatepost.core.metrics import Metrics
from gatepost.core.outbox import Outbox
from gatepost.core.paging import Cursors
from gatepost.core.principal import ClientInfo, Principal
from gatepost.core.schedule import Schedule
from gatepost.core.sealed import Sealed
from gatepost.core.secrets import KeyRing
from gatepost.core.wake import Wake
from gatepost.core.work import UNIT_TRIES, Work, pause_before_next
from gatepost.credentials import Credentials, current_user_of, requirement
from gatepost.login import flow_handles
from gatepost.measures import Measured, Measures, readiness
from gatepost.migrations import HEAD, current_revision, require_current
from gatepost.pages import Pages
from gatepost.passwords import Blocklist, PasswordPolicy
from gatepost.sessions import Sightings
from gatepost.settings import Settings, ensure_secret_key, make_data_dir
from gatepost.testing import Testing
from gatepost.tokens import (
    AccessTokens,
    Authenticated,
    Authentication,
    Callers,
    KeyStore,
    Leased,
    Metadata,
    RevokedSessions,
    SenderKeys,
    Unchanged,
    refresh_handles,
    session_cookies,
)
from gatepost.wiring import (
    Parts,
    Wiring,
    addresses_of,
    correspondence,
    jobs,
    lanes_of,
    limiter_of,
    limits_of,
    sealed_columns,
    transport_of,
)
from gatepost.worker import Worker, running

__all__ = ["Gatepost", "create_app"]


class Gatepost:
    """One user service. Make it at import time; nothing is opened before `lifespan()`.

    `clock`, `consumers`, `log`, `limiter` and `mail` replace the defaults. Raises Stopped if the settings must not run.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        consumers: Sequence[Consumer] = (),
        log: Logger | None = None,
        limiter: Limiter | None = None,
        mail: Transport | None = None,
    ) -> None:
        self.settings = settings = ensure_secret_key(settings)
        clock = clock or SystemClock()
        shifted = ShiftedClock(clock) if settings.offers_test_api else None
        self.clock: Clock = shifted or clock
        self.log = log or make_logger(
            settings.effective_log_format, "debug" if settings.debug else settings.log_level
        )
        ring = KeyRing(settings.key_ring())
        self.database = Database(settings.database_location, settings.database)
        self.testing = Testing(shifted, self.database, self._clock_moved) if shifted else None
        self.hashing = Hashing(settings.hashing)
        self.mail = mail or transport_of(settings, self.clock, self.testing)
        told = correspondence(settings, self.database, self.clock, self.mail)
        self.events = EventLog([*consumers, *told], ring)
        self.keys = KeyStore(self.database.reads, ring, settings.tokens, self.clock, self.run)
        self.sealed = Sealed(self.database, ring, sealed_columns())
        self.access_tokens = AccessTokens(self.keys, settings.tokens, settings.issuer, self.clock)
        redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
        # SQLite says itself that something has changed.
        self.bus = Bus(None if self.database.is_sqlite else redis_url, self.log)
        fresh = Unchanged(self.database.reads) if self.database.is_sqlite else Leased(self.bus)
        self.callers = Callers(self.database.reads, fresh, settings.sessions)
        cookies = session_cookies(ring)
        self.authentication = Authentication(self.access_tokens, self.callers, cookies, self.clock)
        self.cookies = Cookies(
            settings.issuer, settings.cors_origins, settings.cookie_same_site, ring.derive_all("csrf tokens")
        )
        sender_keys = SenderKeys(self.database, self.clock)
        self.credentials = Credentials(self.authentication, self.cookies, sender_keys, settings.issuer)
        self.sightings = Sightings(self.work, self.clock, self.log)
        self.pages = Pages(
            settings.brand, settings.notices, settings.pages, settings.issuer, settings.return_origins, ring
        )
        self.metadata = Metadata(settings.issuer)
        self.revoked = RevokedSessions(self.database.reads, self.keys, settings.issuer, self.clock)
        self.bus.add(self.callers)
        self.bus.add(self.keys)
        self.wake = Wake(redis_url, self.log)
        self.addresses = addresses_of(settings, self.log)
        self.limits = limits_of(
            settings, limiter or limiter_of(settings, ring, self.log, shifted), ring, self.log
        )
        lifetime = timedelta(seconds=settings.idempotency_seconds)
        self.idempotency = Idempotency(self.database, ring, self.clock, lifetime)
        self.schedule = Schedule(
            self.database, jobs(settings, ring, self.run, self.build), self.clock, self.log
        )
        self.outbox = Outbox(
            self.database, self.events, self.clock, self.log, lanes_of(settings, self.limits, self.addresses)
        )
        self.measures: Measures | None = None
        if settings.measures:
            measured = Measured(
                self.database,
                self.hashing,
                self.outbox,
                self.limits,
                self.callers,
                self.access_tokens,
                self.clock,
            )
            self.measures = Measures(measured)
        self.readiness = readiness(self.database, redis_url)
        self.draining = False
        """Whether it was told to stop: not ready any more, and serving what still comes."""
        follow = self.testing.clock.follow if self.testing else None
        self.worker = Worker(self.outbox, self.schedule, self.wake, self.clock, self.log, follow)
        self._wiring = Wiring(
            Parts(
                settings=settings,
                clock=self.clock,
                log=self.log,
                database=self.database,
                events=self.events,
                ring=ring,
                hashing=self.hashing,
                policy=PasswordPolicy(settings.passwords, Blocklist.load(), {"gatepost"}),
                cursors=Cursors(ring.derive("cursors")),
                keys=self.keys,
                access_tokens=self.access_tokens,
                limits=self.limits,
                network=self.addresses.network,
                refresh_handles=refresh_handles(ring),
                session_cookies=cookies,
                flow_handles=flow_handles(ring),
                mail_code_keys=ring.derive_all("codes by mail"),
                run=self.run,
                carries_mail=not isinstance(self.mail, NoTransport),
            )
        )
        self._app: ASGIApp | None = None
        self._scheme = OAuth2PasswordBearer(tokenUrl="users/token", auto_error=False)
        self.current_user = current_user_of(self.authenticate, self._scheme)

    # ── units of work ────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def work(
        self,
        session: AsyncSession | None = None,
        *,
        client: ClientInfo | None = None,
        actor: Principal | None = None,
    ) -> AsyncGenerator[Work]:
        """Open a unit of work; it commits at the end, and not if anything is raised.

        With a session of the host it joins the host's transaction and never commits: the host does, also
        when an error says `keep_changes`, whose traces are in the transaction by then.
        """
        await self.keep_time()
        work = self.reading(client=client, actor=actor)
        if session is not None:
            try:
                work.join(JoinedTransaction(session))
                yield work
            except DomainError as error:
                if error.keep_changes:
                    await self._leave(work)
                raise
            await self._leave(work)
            return
        try:
            async with self.database.write(work.flush_events) as own:
                work.join(own)
                yield work
        finally:
            # However it ended: a commit whose outcome is unknown may have changed something.
            await asyncio.shield(self._settled(work))

    def reading(self, *, client: ClientInfo | None = None, actor: Principal | None = None) -> Work:
        """Return a unit of work that sees committed state and cannot change it."""
        return Work(self.database.reads, Recorder(self.events), self.clock, client or ClientInfo(), actor)

    async def run[T](self, act: Callable[[Work], Awaitable[T]]) -> T:
        """Run a whole unit of work, again when the database undid it for another's sake. Raises Unavailable."""
        for attempt in range(UNIT_TRIES):
            try:
                async with self.work() as work:
                    return await act(work)
            except TransactionConflict:
                await asyncio.sleep(pause_before_next(attempt))
        raise Unavailable

    def build[S](self, service: type[S], work: Work) -> S:
        """Return a service for a unit of work: `gatepost.build(Users, work)`."""
        return self._wiring.build(service, work)

    async def _leave(self, work: Work) -> None:
        """Hand a joined unit of work over to the host. Raises RuntimeError if its deletions would leave rows behind."""
        session = work.session
        if session.in_transaction() and self.database.is_sqlite:
            # At the end: asked at the beginning, it would take the write lock before the slow work is done.
            connection = await session.connection()
            if not (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar():
                raise RuntimeError(
                    "foreign_keys is off on this SQLite connection: use gatepost.database.engine"
                )
        await work.flush_events(JoinedTransaction(session))
        when_ended(session, lambda: self._settled(work), lambda: self.bus.tell(work.events.outdated))

    def _settled(self, work: Work) -> asyncio.Future[None]:
        """Wake whom it concerns and forget what is outdated; return what to wait for before anybody is answered."""
        if work.events.delivered:
            self.wake.now(work.events.delivered)
        if self.measures is not None:
            self.measures.recorded(work.events.written)
        if work.events.outdated:
            return self.bus.tell(work.events.outdated)
        nothing = asyncio.get_running_loop().create_future()
        nothing.set_result(None)
        return nothing

    async def keep_time(self) -> None:
        """Tell the time that a test has set last, where tests may."""
        if self.testing is not None:
            await self.testing.clock.follow()

    def _clock_moved(self) -> None:
        """Forget what this process knows from before the move."""
        self.bus.forget_all()
        self.schedule.look_again()

    # ── who is calling ───────────────────────────────────────────────────────────────────────────

    async def caller(self, request: Request) -> Authenticated | None:
        """Return the caller with their profile, None if no credential was sent. Raises Unauthenticated, CsrfRefused."""
        await self.keep_time()
        found = await self.credentials.caller(request)
        if found is not None:
            self.sightings.saw(found.caller.session_id, found.caller.last_seen_at)
        return found

    async def browser_session(self, request: Request) -> Authenticated | None:
        """Return whose session the browser's cookie is, None if it has none. Raises TokenInvalid, SessionOver."""
        return await self.credentials.browser(request)

    async def authenticate(self, request: Request) -> Principal | None:
        """Return who is calling, None if no credential was sent. Raises Unauthenticated for a bad one."""
        found = await self.caller(request)
        return found.principal if found else None

    def require(
        self, permission: str | None = None, *, fresh: str | timedelta | None = None, acr: str | None = None
    ) -> Callable[..., Awaitable[Principal]]:
        """Return a dependency for the host's routes: the caller, if it has the permission.

        `fresh` is how long ago the sign-in may be (`"10m"`), `acr` how sure it must have been of the person; what does
        not suffice is answered with the challenge of RFC 9470. Raises ValueError for what is no duration or `acr`.
        """
        return requirement(self.current_user, self.clock, permission, fresh, acr)

    # ── the application ──────────────────────────────────────────────────────────────────────────

    @property
    def metrics(self) -> Metrics | None:
        """Where requests are counted, None if nobody wants to know."""
        return self.measures.metrics if self.measures is not None else None

    @property
    def app(self) -> ASGIApp:
        """The ASGI application, made on first use."""
        if self._app is None:
            self._app = build_app(self)
        return self._app

    def attach(self, app: FastAPI, path: str) -> None:
        """Mount the service in a host's application, join its lifespan, and answer our errors in its routes."""
        for place, answer in root_routes(self).items():
            app.add_route(place, answer, include_in_schema=False)
        app.mount(path, self.app)
        self._show_in_docs(path.strip("/"))
        app.add_exception_handler(DomainError, Problems(self.log, STATUSES).on_domain_error)  # ty: ignore[invalid-argument-type]
        hosts_own = app.router.lifespan_context

        @asynccontextmanager
        async def both(host: FastAPI) -> AsyncGenerator[Any]:
            async with self.lifespan(), hosts_own(host) as state:
                yield state

        app.router.lifespan_context = both

    def _show_in_docs(self, path: str) -> None:
        # The dependencies may have been handed out before, so what they show is changed, not they themselves.
        # Named by path: of two Gateposts in one host, each has its own place in the Authorize dialog.
        model: Any = self._scheme.model
        model.flows.password.tokenUrl = f"{path}/users/token"
        self._scheme.scheme_name = f"gatepost-{path.replace('/', '-')}"

    async def prepare(self) -> None:
        """Bring the schema up to date where that is ours to decide. Raises SchemaMismatch, DatabaseUnavailable.

        In production a server database is migrated by a step of its own: `gatepost db upgrade`, or `migrate()`.
        """
        if self.settings.migrates_on_start:
            found = await current_revision(self.database)
            if found is None or found < HEAD:
                await self.migrate()
        await require_current(self.database)

    async def migrate(self) -> None:
        """Migrate the database to the schema of this version. Safe to run twice, and by several at once."""
        from gatepost.migrations.commands import upgrade  # Alembic: slow to import, seldom needed

        if self.settings.is_embedded:
            make_data_dir(self.settings)
        with translated():
            await upgrade(self.database)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Open the database and run the worker meanwhile. Raises Stopped if the schema is not ours."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.callback(self.hashing.close)
            stack.push_async_callback(self.limits.close)
            stack.push_async_callback(self.mail.close)
            stack.push_async_callback(self.readiness.close)
            stack.push_async_callback(self.sightings.written)
            stack.push_async_callback(self.keys.close)
            await self.prepare()
            await self.keys.ready()
            await asyncio.to_thread(self.hashing.warm)
            await stack.enter_async_context(self.wake.connected())
            await stack.enter_async_context(self.bus.connected())
            if self.measures is not None:
                await stack.enter_async_context(self.measures.sampled())
            if self.settings.metrics_port is not None:
                port = OperatorsPort(
                    self.settings.metrics_host, self.settings.metrics_port, operators_pages(self)
                )
                await stack.enter_async_context(port.open())
            if self.settings.run_worker:
                await stack.enter_async_context(running(self.worker))
            yield


def create_app(settings: Settings | None = None) -> ASGIApp:
    """Return an application for any ASGI server: `uvicorn --factory gatepost:create_app`."""
    return Gatepost(settings or Settings()).app
