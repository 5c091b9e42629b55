"""Two workers on one PostgreSQL and one Redis against one: what a second process adds on this machine."""

from bench import gatepost, measure, scenarios
from bench.findings import Variant
from bench.redis import redis
from bench.results import Results
from bench.site import Site, say
from bench.subjects import Subject

LOADS = ("me", "refresh", "sign-in")
COUNTS = (1, 2)


def study(site: Site, results: Results) -> None:
    """Measure one and two workers in turns, on the same data, free to use every processor."""
    site.prepare(gatepost.on_postgresql(site))
    variants = [Variant(f"{count} worker{'s' * (count > 1)}") for count in COUNTS]
    with redis(site.directory("redis")) as server:
        for turn in range(site.plan.rounds):
            for count, variant in zip(COUNTS, variants, strict=True):
                variant.rounds.append({})
                settings = {"GATEPOST_REDIS_URL": server.url, "GATEPOST_WORKERS": str(count)}
                _measure(variant, gatepost.on_postgresql(site, **settings), turn, site)
            say(f"workers: round {turn + 1} of {site.plan.rounds}")
    results.workers = variants


def _measure(variant: Variant, subject: Subject, turn: int, site: Site) -> None:
    plan = site.plan
    with subject.serving(None) as server:
        access = scenarios.signed_in(subject, server)
        for name, load in scenarios.loads(subject, server, access, plan, turn):
            if name in LOADS:
                found = measure.measured(load, plan.seconds, server, site.postgres, plan)
                variant.rounds[-1][name] = found
