"""What a limit check and the cache cost or save on `GET /users/me`, in memory and with Redis."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import gatepost, measure, scenarios
from bench.accounting import cpu_seconds
from bench.ceilings.route import bare_route
from bench.findings import Variant
from bench.load import Load
from bench.peers import fastapi_users
from bench.redis import Redis, redis
from bench.results import Results
from bench.servers import Server
from bench.site import Site, say
from bench.subjects import Subject

BARE = "bare FastAPI route"
PLAIN = "limits off, no Redis"
LIMITED = "limits in memory, no Redis"
CACHED = "limits off, with Redis"
CACHED_LIMITED = "limits in Redis"
PEER = "fastapi-users, tuned"

LOAD = "me"
_SECONDS = 2
_WORTH_TELLING = 0.01
"""Calls of a Redis command per request; what is less is not the request's."""

# As many a minute as the settings take, so that every request is counted and none refused.
_WIDE = {"GATEPOST_RATE_LIMITS": "on", "GATEPOST_LIMITS__GENERAL": "1000000"}


def study(site: Site, results: Results) -> None:
    """Measure every variant once in each round, all of them running, on the server's processor."""
    with ExitStack() as stack:
        cache = stack.enter_context(redis(site.directory("redis")))
        bare = stack.enter_context(bare_route(site.directory("bare"), site.plan.placement.server))
        variants = [Variant(BARE)]
        running = [(bare, Load(f"{bare.url}/me", "plain", connections=scenarios.READING))]
        tokens: dict[Path, list[str]] = {}
        for name, subject in _subjects(site, cache.url).items():
            site.prepare(subject)
            server = stack.enter_context(subject.serving(site.plan.placement.server))
            # Variants on the same data take the first one's tokens: the others would refuse so many sign-ins.
            if subject.directory not in tokens:
                tokens[subject.directory] = scenarios.signed_in(subject, server).tokens
            variants.append(Variant(name))
            file = subject.directory / "tokens"
            running.append(
                (server, scenarios.bearing(server.url + subject.api.me, tokens[subject.directory], file))
            )
        for turn in range(site.plan.cost_rounds):
            for variant, (server, load) in zip(variants, running, strict=True):
                _measure(variant, server, load, cache, site)
            say(f"costs: round {turn + 1} of {site.plan.cost_rounds}")
    results.costs = variants


def _subjects(site: Site, cache: str) -> Mapping[str, Subject]:
    # One issuer, so that each accepts the others' tokens.
    plain = {"GATEPOST_PUBLIC_URL": "http://127.0.0.1:8000"}
    with_redis = {**plain, "GATEPOST_REDIS_URL": cache}
    return {
        PLAIN: gatepost.on_postgresql(site, **plain),
        LIMITED: gatepost.on_postgresql(site, **plain, **_WIDE),
        CACHED: gatepost.on_postgresql(site, **with_redis),
        CACHED_LIMITED: gatepost.on_postgresql(site, **with_redis, **_WIDE),
        PEER: fastapi_users.on_postgresql(site, tuned=True),
    }


def _measure(variant: Variant, server: Server, load: Load, cache: Redis, site: Site) -> None:
    database = None if variant.name == BARE else site.postgres
    counted, used = cache.counted(), cpu_seconds(cache.pid)
    found = measure.measured(load, _SECONDS, server, database, site.plan)
    each = 1 / max(found.requests, 1)
    variant.redis_ms.append((cpu_seconds(cache.pid) - used) * 1000 * each)
    after = cache.counted()
    # Our own two questions are among the reads.
    variant.redis_reads = max(0, after.pop("reads") - counted["reads"] - 2) * each
    calls = {name: (count - counted.get(name, 0)) * each for name, count in after.items()}
    variant.redis_commands = {name: count for name, count in calls.items() if count >= _WORTH_TELLING}
    variant.rounds.append({LOAD: found})


def redis_ms(variant: Variant) -> float:
    """Return CPU of Redis per request in ms."""
    return median(variant.redis_ms)


def cpu_ms(variant: Variant) -> float:
    """Return CPU of server, database and Redis per request in ms."""
    return median(_cpu_ms(variant))


def ratio(variant: Variant, other: Variant) -> float:
    """Return the median over the rounds of CPU per request, variant ÷ other."""
    return median(a / b for a, b in zip(_cpu_ms(variant), _cpu_ms(other), strict=True))


def _cpu_ms(variant: Variant) -> list[float]:
    pairs = zip(variant.rounds, variant.redis_ms, strict=True)
    return [each[LOAD].cpu_ms + redis for each, redis in pairs]
