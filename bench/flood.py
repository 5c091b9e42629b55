"""Does a flood of sign-ins freeze the rest? A light probe, on an idle server and beside the flood."""

import os
import time

from bench import load, scenarios
from bench.load import Answers, Load
from bench.plan import PASSWORD, Plan
from bench.results import Flood, Probe
from bench.servers import Server
from bench.subjects import SEEDED_EMAIL, Subject

IN_FLIGHT = 20
PAUSE_MS = 10
"""The probe's pause after each answer: it never waits behind itself."""

_SETTLE = 1.0
"""Seconds from the first sign-in to the first probe."""


def flooded(subject: Subject, plan: Plan, processor: int | None) -> Flood:
    """Start the subject, probe it idle, then probe it under the flood."""
    with subject.serving(processor) as server:
        probes = _probes(subject, server)
        idle = {name: _run(probe, plan) for name, probe in probes.items()}
        flood = _flood(subject, server, plan)
        lasting = len(probes) * (plan.flood_probe_seconds + 1) + 2
        signing_in = load.start(flood, lasting, plan.placement.client)
        time.sleep(_SETTLE)
        under = {name: _run(probe, plan) for name, probe in probes.items()}
        answers = load.collect(signing_in, flood)
    return Flood(
        processors=1 if processor is not None else len(os.sched_getaffinity(0)),
        sign_ins_per_second=answers.rate,
        refused=answers.failures,
        statuses=answers.statuses,
        probes={name: _compared(idle[name], under[name]) for name in probes},
    )


def _probes(subject: Subject, server: Server) -> dict[str, Load]:
    token = scenarios.signed_in(subject, server).tokens[0]
    health, me = server.url + subject.api.health, server.url + subject.api.me
    return {
        "GET /health": Load(health, "probe", (str(PAUSE_MS),)),
        "GET /users/me": Load(me, "probe", (str(PAUSE_MS), token)),
    }


def _flood(subject: Subject, server: Server, plan: Plan) -> Load:
    arguments = (SEEDED_EMAIL, str(plan.accounts), "0", PASSWORD)
    return Load(server.url + subject.api.token, "sign_in", arguments, IN_FLIGHT, ends_itself=True)


def _run(probe: Load, plan: Plan) -> Answers:
    return load.run(probe, plan.flood_probe_seconds, plan.placement.client)


def _compared(idle: Answers, under: Answers) -> Probe:
    return Probe(
        idle_p50_ms=idle.p50_ms,
        idle_p99_ms=idle.p99_ms,
        flood_p50_ms=under.p50_ms,
        flood_p99_ms=under.p99_ms,
        samples=under.requests,
        failures=idle.failures + under.failures,
    )
