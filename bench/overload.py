"""Sign-ins at ten times what the machine can hash: who is refused, how fast, and what else still works."""

import os
import time

from bench import client, gatepost, load, measure, scenarios
from bench.accounting import MemoryWatch, memory
from bench.ceilings.route import bare_route
from bench.findings import Overload, Timed
from bench.load import Answers, Load
from bench.peers import fastapi_users
from bench.plan import PASSWORD, Plan
from bench.results import Probe, Results
from bench.servers import Server
from bench.site import Site, say
from bench.subjects import SEEDED_EMAIL, Subject

TIMES_CAPACITY = 10
WAITING = 200
"""Gatepost's hashing queue, as it is by default."""
EXCESS = 64
"""Sign-ins at once beyond those that may wait."""
PAUSE_MS = 10
_SETTLE = 1.0

_BEHIND_PROXY = {"GATEPOST_RATE_LIMITS": "on", "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32"}


def study(site: Site, results: Results) -> None:
    """Flood Gatepost with its limits on, then the peer; both free to use every processor."""
    rate = TIMES_CAPACITY * len(os.sched_getaffinity(0)) * 1000 / measure.raw_hash_ms(site.plan)
    for subject in (
        gatepost.on_postgresql(site, **_BEHIND_PROXY),
        fastapi_users.on_postgresql(site, tuned=True),
    ):
        site.prepare(subject)
        with subject.serving(None) as server, bare_route(site.directory("bare"), None) as bare:
            results.overloads.append(_flooded(subject, server, bare, rate, site.plan))
        say(f"overload: {subject.key}")


def _flooded(subject: Subject, server: Server, bare: Server, rate: float, plan: Plan) -> Overload:
    probes = {**_probes(subject, server), "bare": Load(f"{bare.url}/me", "probe", (str(PAUSE_MS),))}
    idle = {name: _run(probe, plan) for name, probe in probes.items()}
    if subject.api.refresh:
        # The first chain's token is long used up: shown again, it would end its session.
        probes["refresh"] = _refreshing(subject, server)
    before = memory(server.pid)
    flood = _flood(subject, server, rate, plan)
    lasting = len(probes) * (plan.overload_probe_seconds + 1) + 2
    with MemoryWatch(server.pid) as watch:
        signing_in = load.start(flood, lasting, plan.placement.client)
        time.sleep(_SETTLE)
        under = {name: _run(probe, plan) for name, probe in probes.items()}
        answers = load.collect(signing_in, flood)
    found = {name: _compared(idle[name], under[name], plan) for name in probes}
    time.sleep(_SETTLE)
    return Overload(
        key=subject.key,
        name=subject.name,
        wanted_rate=rate,
        sent_rate=answers.rate,
        signed_in_rate=answers.statuses.get("200", 0) / answers.seconds,
        statuses=answers.statuses,
        signed_in=Timed(**answers.told["accepted_timed"]),
        refused=Timed(**answers.told["refused_timed"]),
        refused_all=answers.told["refused_all"],
        refused_politely=answers.told["refused_politely"],
        unanswered=answers.told["broken"],
        memory_before=before,
        memory_most=watch.most,
        memory_after=memory(server.pid),
        bare=found.pop("bare"),
        probes=found,
    )


def _probes(subject: Subject, server: Server) -> dict[str, Load]:
    """Return what a signed-in client asks for, as far as the subject has it."""
    held = client.sign_in(server, subject.api, SEEDED_EMAIL % 1, PASSWORD)
    pause = str(PAUSE_MS)
    found = {"GET /users/me": Load(server.url + subject.api.me, "probe", (pause, held.access))}
    if not subject.api.refresh:
        return {**found, "GET /health": Load(server.url + subject.api.health, "probe", (pause,))}
    found["refresh"] = _refreshing(subject, server)
    return {**found, "JWKS": Load(f"{server.url}/.well-known/jwks.json", "probe", (pause,))}


def _refreshing(subject: Subject, server: Server) -> Load:
    return scenarios.refreshing(subject, server, [SEEDED_EMAIL % 1], PAUSE_MS)


def _flood(subject: Subject, server: Server, rate: float, plan: Plan) -> Load:
    arguments = (SEEDED_EMAIL, str(plan.accounts), PASSWORD, f"{rate:.0f}")
    return Load(server.url + subject.api.token, "flood", arguments, connections=WAITING + EXCESS)


def _run(probe: Load, plan: Plan) -> Answers:
    return load.run(probe, plan.overload_probe_seconds, plan.placement.client)


def _compared(idle: Answers, under: Answers, plan: Plan) -> Probe:
    # Who got no answer at all waited at least as long as the probe lasted.
    least = 0.0 if under.requests else plan.overload_probe_seconds * 1000
    return Probe(
        idle_p50_ms=idle.p50_ms,
        idle_p99_ms=idle.p99_ms,
        flood_p50_ms=max(under.p50_ms, least),
        flood_p99_ms=max(under.p99_ms, least),
        samples=under.requests,
        failures=idle.failures + under.failures,
    )
