"""A whole run: what is measured, in which order."""

import asyncio
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from bench import (
    costs,
    flood,
    gatepost,
    guard,
    machine,
    measure,
    million,
    overload,
    scenarios,
    seed,
    servers,
    workers,
)
from bench.accounting import Neighbours, memory
from bench.ceilings import raw_select
from bench.ceilings.route import bare_route
from bench.client import Unexpected
from bench.databases import PostgresStore
from bench.load import Load
from bench.peers import fastapi_users, simplejwt
from bench.plan import WORKSHOP, Plan
from bench.postgres import Cluster, cluster
from bench.results import Measurement, Outcome, Results, Round, Select
from bench.servers import Server
from bench.site import Site, say
from bench.subjects import Subject

CEILINGS = "ceilings"
_REFERENCE_SECONDS = 1
_CHEAP_SECONDS = 2
"""A second of cheap requests is thousands of them; hashes need longer for a figure."""

_SETTLE = 1.0
"""Seconds between the first good answer and a look at memory."""

SUBJECTS: dict[str, Callable[[Site], Subject]] = {
    "gatepost-postgresql": gatepost.on_postgresql,
    "peer-postgresql": lambda site: fastapi_users.on_postgresql(site, tuned=False),
    "peer-postgresql-tuned": lambda site: fastapi_users.on_postgresql(site, tuned=True),
    "peer-simplejwt-postgresql": lambda site: simplejwt.on_postgresql(site, tuned=False),
    "peer-simplejwt-postgresql-tuned": lambda site: simplejwt.on_postgresql(site, tuned=True),
    "gatepost-sqlite": gatepost.on_sqlite,
    "peer-sqlite": lambda site: fastapi_users.on_sqlite(site, tuned=False),
    "peer-sqlite-tuned": lambda site: fastapi_users.on_sqlite(site, tuned=True),
    "peer-simplejwt-sqlite": lambda site: simplejwt.on_sqlite(site, tuned=False),
    "peer-simplejwt-sqlite-tuned": lambda site: simplejwt.on_sqlite(site, tuned=True),
}
FLOODED = ("gatepost-postgresql", "peer-postgresql")
STUDIES: dict[str, Callable[[Site, Results], None]] = {
    "overload": overload.study,
    "workers": workers.study,
    "costs": costs.study,
    "million": million.study,
    "guard": guard.study,
}
NAMES = (CEILINGS, *SUBJECTS, *STUDIES)

_MISHAPS = (RuntimeError, OSError, servers.NotReady, Unexpected, seed.WrongHash)
"""One thing that cannot be measured must not cost the figures of all others."""


def run(plan: Plan, only: list[str]) -> Results:
    """Measure everything, or only what is named."""
    neighbours = Neighbours.from_now()
    with _temporary() as folder, cluster(folder) as postgres:
        results = _measured(Site(plan, folder, postgres), only)
    results.machine["taken by other work during the run"] = (
        f"{neighbours.share():.0%} of all processors' time"
    )
    return results


def _measured(site: Site, only: list[str]) -> Results:
    wanted, plan = only or list(NAMES), site.plan
    _create_databases(site.postgres)
    results = Results(
        quick=plan.quick,
        partial=bool(only),
        machine=machine.facts(),
        versions=machine.versions(site.postgres),
        plan={key: value for key, value in dataclasses.asdict(plan).items() if key != "quick"},
    )
    if CEILINGS in wanted:
        say(CEILINGS)
        results.selects = _selects(site)
        results.bare = _bare_start(site)
    with bare_route(site.directory("bare"), plan.placement.server) as bare:
        for key in (name for name in SUBJECTS if name in wanted):
            _measure_into(results, key, site, bare)
    for name in (name for name in STUDIES if name in wanted):
        _study_into(results, name, site)
    return results


def _measure_into(results: Results, key: str, site: Site, bare: Server) -> None:
    say(key)
    log: Path | None = None
    try:
        subject = SUBJECTS[key](site)
        log = subject.directory / "server.log"
        site.prepare(subject)
        outcome = Outcome(subject.key, subject.name, subject.database)
        results.outcomes.append(outcome)
        _fill_in(outcome, subject, site, bare)
    except _MISHAPS as error:
        _broken(results, key, error)
        if log and log.exists():
            shutil.copy(log, WORKSHOP / f"{key}.log")


def _study_into(results: Results, name: str, site: Site) -> None:
    say(name)
    try:
        STUDIES[name](site, results)
    except _MISHAPS as error:
        _broken(results, name, error)


def _broken(results: Results, key: str, error: Exception) -> None:
    say(f"{key} could not be measured further: {error}")
    results.broken[key] = (str(error).splitlines() or [type(error).__name__])[-1][:160]


def _fill_in(outcome: Outcome, subject: Subject, site: Site, bare: Server) -> None:
    plan = site.plan
    database = site.postgres if subject.database == "postgresql" else None
    outcome.cold_starts = [_cold_start(subject, plan) for _ in range(plan.cold_starts)]
    with subject.serving(plan.placement.server) as server:
        time.sleep(_SETTLE)
        outcome.memory_started = memory(server.pid)
        access = scenarios.signed_in(subject, server)
        for turn in range(plan.rounds):
            outcome.rounds.append(_round(subject, server, access, database, bare, turn, plan))
            say(f"{subject.key}: round {turn + 1} of {plan.rounds}")
        outcome.memory_loaded = memory(server.pid)
    if subject.key in FLOODED:
        processors = {plan.placement.server, None}
        outcome.floods = [flood.flooded(subject, plan, each) for each in sorted(processors, key=str)]


def _round(
    subject: Subject,
    server: Server,
    access: scenarios.Access,
    database: Cluster | None,
    bare: Server,
    turn: int,
    plan: Plan,
) -> Round:
    hashes = [measure.raw_hash_ms(plan)]
    route: Measurement | None = None
    found = {}
    for name, load in scenarios.loads(subject, server, access, plan, turn):
        if name.startswith(scenarios.HASHING_SCENARIOS):
            result = measure.measured(load, plan.seconds, server, database, plan)
            hashes.append(measure.raw_hash_ms(plan))
            reference = (hashes[-2] + hashes[-1]) / 2
        else:
            route = route or _bare_route_now(bare, plan)
            result = measure.measured(load, min(plan.seconds, _CHEAP_SECONDS), server, database, plan)
            reference = route.cpu_ms
        found[name] = dataclasses.replace(result, reference_ms=reference)
    return Round(hashes, route or _bare_route_now(bare, plan), found)


def _bare_route_now(bare: Server, plan: Plan) -> Measurement:
    load = Load(f"{bare.url}/me", "plain", connections=scenarios.READING)
    return measure.measured(load, _REFERENCE_SECONDS, bare, None, plan)


def _cold_start(subject: Subject, plan: Plan) -> float:
    with subject.serving(plan.placement.server) as server:
        return server.ready


def _selects(site: Site) -> list[Select]:
    url, path = site.postgres.address("ceilings"), str(site.folder / "ceilings.db")
    asyncio.run(raw_select.make_on_postgresql(url))
    raw_select.make_on_sqlite(path)
    return [
        measure.raw_select("postgresql", url, site.postgres, site.plan),
        measure.raw_select("sqlite", path, None, site.plan),
    ]


def _bare_start(site: Site) -> Outcome:
    outcome = Outcome("bare", "bare FastAPI route", "none")
    for _ in range(site.plan.cold_starts):
        with bare_route(site.directory("bare"), site.plan.placement.server) as server:
            outcome.cold_starts.append(server.ready)
            if outcome.memory_started is None:
                time.sleep(_SETTLE)
                outcome.memory_started = memory(server.pid)
    return outcome


def _create_databases(postgres: Cluster) -> None:
    names = ("ceilings", "gatepost", "peer", "peer_simplejwt", *million.DATABASES)
    PostgresStore(postgres.address("postgres")).execute(*(f"CREATE DATABASE {name}" for name in names))


@contextmanager
def _temporary() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-", ignore_cleanup_errors=True) as name:
        # PostgreSQL runs as another account than root and must get to its folder.
        Path(name).chmod(0o711)
        yield Path(name)
