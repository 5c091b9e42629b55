"""One load against one server, with what it cost server and database."""

import json
import subprocess
import sys
import time
from statistics import median

from bench import load
from bench.accounting import cpu_seconds
from bench.load import Load
from bench.plan import ROOT, Plan, pinned
from bench.postgres import Cluster
from bench.results import Measurement, Select
from bench.servers import Server

_AFTERGLOW = 0.1
"""Seconds for work that a server does after its last answer."""


def measured(wanted: Load, seconds: int, server: Server, database: Cluster | None, plan: Plan) -> Measurement:
    """Run the load and divide what the processes used by the requests answered. The reference is itself."""
    server_before, database_before = _used(server.pid, database)
    answers = load.run(wanted, seconds, plan.placement.client)
    time.sleep(_AFTERGLOW)
    server_after, database_after = _used(server.pid, database)
    each = 1000 / max(answers.requests, 1)
    server_ms, database_ms = (server_after - server_before) * each, (database_after - database_before) * each
    return Measurement(
        rate=answers.rate,
        p50_ms=answers.p50_ms,
        p99_ms=answers.p99_ms,
        server_cpu_ms=server_ms,
        database_cpu_ms=database_ms,
        requests=answers.requests,
        failures=answers.failures,
        statuses=answers.statuses,
        reference_ms=server_ms + database_ms,
    )


def raw_hash_ms(plan: Plan) -> float:
    """Return CPU ms of one raw hash, on the server's processor."""
    return float(_told("bench.ceilings.raw_hash", str(plan.hash_seconds), plan=plan))


def raw_select(kind: str, place: str, database: Cluster | None, plan: Plan) -> Select:
    """Return what one raw select costs, the median of the rounds."""
    found = [_one_select(kind, place, database, plan) for _ in range(plan.rounds)]
    return Select(
        kind,
        median(each.client_cpu_us for each in found),
        median(each.database_cpu_us for each in found),
        median(each.per_second for each in found),
    )


def _one_select(kind: str, place: str, database: Cluster | None, plan: Plan) -> Select:
    before = cpu_seconds(database.pid) if database else 0.0
    told = json.loads(_told("bench.ceilings.raw_select", place, str(plan.seconds), plan=plan))
    used = cpu_seconds(database.pid) - before if database else 0.0
    each = 1_000_000 / told["selects"]
    return Select(kind, told["cpu_seconds"] * each, used * each, told["selects"] / plan.seconds)


def _used(server: int, database: Cluster | None) -> tuple[float, float]:
    return cpu_seconds(server), cpu_seconds(database.pid) if database else 0.0


def _told(module: str, *arguments: str, plan: Plan) -> str:
    command = pinned(plan.placement.server, [sys.executable, "-m", module, *arguments])
    return subprocess.check_output(command, cwd=ROOT, text=True)
