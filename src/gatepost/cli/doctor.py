"""`gatepost doctor`: what is unsafe or will not work, and what mends it."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gatepost.cli.check import Check, Level
from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings, printable, reason
from gatepost.core.errors import DomainError, Stopped

if TYPE_CHECKING:
    from gatepost.core.clock import Clock
    from gatepost.core.database import Database
    from gatepost.gatepost import Gatepost
    from gatepost.settings import Settings

__all__ = ["Check", "check_clock", "doctor", "examine"]

_OPEN_TO_ALL = {"0.0.0.0", "::"}  # noqa: S104  the addresses that we warn of
_SANE_YEARS = range(2026, 2100)
_DRIFT_NOTICED = 2.0
_DRIFT_DANGEROUS = 30.0
# A rotation comes a minute late, and a service that was stopped comes back.
_LATE = timedelta(hours=1)


def doctor(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Look for what is unsafe or will not work. Exit 1 on danger. Changes nothing."""
    try:
        checks = asyncio.run(_all(load_settings(database_url=database_url, data_dir=data_dir)))
    except Stopped as stopped:
        checks = [Check("settings", "danger", line) for line in str(stopped).splitlines()]
    in_danger = any(check.level == "danger" for check in checks)
    emit(
        {"ok": not in_danger, "checks": [asdict(check) for check in checks]},
        "\n".join(_shown(check) for check in checks),
        as_json=as_json,
    )
    raise typer.Exit(1 if in_danger else 0)


async def _all(settings: "Settings") -> list[Check]:
    from gatepost.core.clock import SystemClock

    return [check async for check in examine(settings, SystemClock())]


async def examine(settings: "Settings", clock: "Clock") -> AsyncIterator[Check]:
    """Yield every check that makes sense for these settings."""
    from gatepost.cli.doctor_mail import mail_checks
    from gatepost.core.database import Database
    from gatepost.settings import require_extras

    for look in (_settings, _secret_key, _data_dir, _network, _proxies, _limits, _sign_up, _test_api):
        for check in look(settings):
            yield check
    for check in await mail_checks(settings, clock):
        yield check
    try:
        require_extras(settings)
        database = Database(settings.database_location, settings.database)
    except Stopped as stopped:
        # What is missing is among the settings' dangers already, an unusable URL is not.
        yield Check("database", "danger", f"Not looked at: {stopped}".splitlines()[0])
        yield await check_clock(clock, None)
        return
    try:
        schema = await _schema(settings, database)
        yield schema
        yield await check_clock(clock, database if schema.level != "danger" else None)
        if schema.level == "ok":
            for check in await _keys(settings, clock):
                yield check
            for check in await _traces_of_tests(settings, database):
                yield check
    finally:
        await database.close()
    if settings.redis_url is not None:
        yield await _redis(settings.redis_url.get_secret_value())


def _settings(settings: "Settings") -> list[Check]:
    from gatepost.settings import refusals, unknown_names

    level: Level = "danger" if settings.environment == "production" else "warning"
    checks = [Check("settings", "danger", found.reason, found.command) for found in refusals(settings)]
    checks += [
        Check("settings", level, line, "unset the variable, or correct its name") for line in unknown_names()
    ]
    return checks or [Check("settings", "ok", f"Nothing speaks against running in {settings.environment}.")]


def _secret_key(settings: "Settings") -> list[Check]:
    from gatepost.core.secrets import weakness
    from gatepost.settings import generated_secret_file

    checks = [
        Check(
            "secret key", "warning", f"A key in GATEPOST_PREVIOUS_SECRET_KEYS {weak}.", "drop it once unused"
        )
        for key in settings.previous_secret_keys
        if (weak := weakness(key.get_secret_value()))
    ]
    if settings.secret_key is not None:
        # Whether it is strong is among the refusals.
        return [*checks, Check("secret key", "ok", "GATEPOST_SECRET_KEY is set.")]
    if settings.environment == "production":
        return checks
    return [*checks, _secret_file(generated_secret_file(settings))]


def _secret_file(path: Path) -> Check:
    from gatepost.core.secrets import weakness

    try:
        mode = path.stat().st_mode & 0o777
        weak = weakness(path.read_text().strip())
    except FileNotFoundError:
        return Check("secret key", "ok", f"None yet: the first start makes one, in {path}.")
    except (OSError, UnicodeDecodeError) as error:
        return Check("secret key", "danger", f"{path} cannot be read ({error}).", "restore the file")
    if weak:
        return Check("secret key", "danger", f"The key in {path} {weak}.", "restore the file")
    if mode & 0o077:
        return Check("secret key", "danger", f"Others may read {path} (mode {mode:o}).", f"chmod 600 {path}")
    return Check("secret key", "ok", f"Kept in {path}, which only its owner reads.")


def _data_dir(settings: "Settings") -> list[Check]:
    if not settings.is_embedded and settings.secret_key is not None:
        return []
    there = settings.data_dir.absolute()
    nearest = next(path for path in (there, *there.parents) if os.path.lexists(path))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        mend = "make it writable, or choose another: export GATEPOST_DATA_DIR=/some/where"
        return [Check("data directory", "danger", f"{nearest} is not a directory to write in.", mend)]
    state = "is writable" if nearest == there else "is made by the first start"
    return [Check("data directory", "ok", f"{there} {state}.")]


def _network(settings: "Settings") -> list[Check]:
    checks: list[Check] = []
    if settings.environment != "production" and settings.host in _OPEN_TO_ALL:
        says = f"A {settings.environment} service listens on every network ({settings.host})."
        checks.append(Check("network", "warning", says, "export GATEPOST_HOST=127.0.0.1"))
    if settings.metrics_port is not None and settings.metrics_host in _OPEN_TO_ALL:
        says = (
            f"The port of the metrics listens on every network ({settings.metrics_host}), without a password."
        )
        mend = "export GATEPOST_METRICS_HOST=127.0.0.1, or an address of an inner network"
        checks.append(Check("network", "warning", says, mend))
    if settings.environment == "production":
        plain = [origin for origin in settings.cors_origins if not origin.startswith("https://")]
        checks += [
            Check("network", "warning", f"The CORS origin {origin} is not https.", "name its https origin")
            for origin in plain
        ]
    return checks or [Check("network", "ok", f"Listens on {settings.host}, port {settings.port}.")]


def _proxies(settings: "Settings") -> list[Check]:
    from gatepost.core.proxies import hops_or_networks

    hops, networks = hops_or_networks(settings.trusted_proxies)
    if hops:
        says = (
            f"{hops} in front, which nobody may be able to go around: the client is who the first one names."
        )
        return [Check("proxies", "ok", says)]
    if networks:
        named = ", ".join(map(str, networks))
        return [Check("proxies", "ok", f"{settings.forwarded_header} counts if it comes from {named}.")]
    if settings.issuer.startswith("https://"):
        says = "Clients use https and we serve http, so a proxy is in front: all clients seem to have its address."
        mend = (
            "export GATEPOST_TRUSTED_PROXIES=10.0.0.0/8 (the proxy's network, or how many proxies there are)"
        )
        return [Check("proxies", "warning", says, mend)]
    return [Check("proxies", "ok", "None: the client is who connects.")]


def _limits(settings: "Settings") -> list[Check]:
    if settings.rate_limits == "off":
        # In production it is among the refusals.
        return [Check("limits", "warning", "Rate limits are off.", "export GATEPOST_RATE_LIMITS=on")]
    if settings.workers > 1 and settings.redis_url is None:
        number = settings.workers
        says = f"Each of {number} processes counts for itself: up to {number} times as much passes."
        return [
            Check(
                "limits", "warning", says, "share the counts: export GATEPOST_REDIS_URL=redis://HOST:6379/0"
            )
        ]
    where = "in Redis" if settings.redis_url else "in the process"
    return [Check("limits", "ok", f"Counted {where}.")]


def _sign_up(settings: "Settings") -> list[Check]:
    accounts = settings.accounts
    if not accounts.allow_registration:
        says = "Closed: administrators add people."
    elif accounts.sign_up_hides_accounts:
        says = (
            "Hides who has an account: its owner learns of it by mail, and who is not verified learns less."
        )
    else:
        says = (
            "Tells that an address has an account; GATEPOST_ACCOUNTS__SIGN_UP_HIDES_ACCOUNTS=true hides it."
        )
    return [Check("sign-up", "ok", says)]


def _test_api(settings: "Settings") -> list[Check]:
    if not settings.offers_test_api:
        return []
    who = "Whoever reaches this service" if settings.test_api else "Whoever is on this machine"
    says = f"{who} moves its clock and reads its mail, under /test/."
    return [Check("test api", "warning", says, "export GATEPOST_TEST_API=false")]


async def _traces_of_tests(settings: "Settings", database: "Database") -> list[Check]:
    """Look for what tests have left where no test may run."""
    from gatepost.testing import traces

    found = [] if settings.environment == "test" else await traces(database.reads)
    left = {"clock": "moved the clock, so times in it may lie in the future", "mail": "left mail in it"}
    says = f"Tests have used this database: they {' and '.join(left[trace] for trace in found)}."
    return [Check("test data", "warning", says, "begin with a database of its own")] if found else []


async def _schema(settings: "Settings", database: "Database") -> Check:
    from gatepost.migrations import HEAD, current_revision

    try:
        found = await current_revision(database)
    except DomainError as error:
        return Check("database", "danger", reason(error), "check GATEPOST_DATABASE_URL, and that it runs")
    if found == HEAD:
        return Check("database", "ok", "Reachable, with the schema of this version.")
    if found is None and settings.is_embedded:
        says = f"There is none yet in {settings.data_dir}."
        return Check(
            "database", "warning", says, "start it here, or name the place of its data: GATEPOST_DATA_DIR"
        )
    says = f"Its schema is at revision {found or 'none'}, this version needs {HEAD}."
    if found is not None and found > HEAD:
        return Check("database", "danger", says, "install the version of Gatepost that migrated it")
    by_itself = settings.is_embedded or settings.environment != "production"
    return Check("database", "warning" if by_itself else "danger", says, "gatepost db upgrade")


async def check_clock(clock: "Clock", database: "Database | None") -> Check:
    """Compare our clock with the calendar, and with the database's where that is another machine."""
    from sqlalchemy import text

    now = clock.now()
    mend = "set the clock, and keep it right: timedatectl set-ntp true"
    if now.year not in _SANE_YEARS:
        return Check("clock", "danger", f"It says {now:%Y-%m-%d}.", mend)
    if database is None or database.is_sqlite:
        return Check("clock", "ok", f"It says {now:%Y-%m-%d %H:%M} UTC.")
    row = await database.reads.first(text("SELECT clock_timestamp() AS now"))
    theirs: datetime = row.now if row else now
    apart = abs((theirs - now).total_seconds())
    level: Level = "ok" if apart < _DRIFT_NOTICED else "warning" if apart < _DRIFT_DANGEROUS else "danger"
    says = f"It is {apart:.1f} seconds apart from the database's."
    return Check("clock", level, says, None if level == "ok" else mend)


async def _keys(settings: "Settings", clock: "Clock") -> list[Check]:
    from gatepost.gatepost import Gatepost
    from gatepost.settings import generated_secret_file, refusals

    if refusals(settings) or (settings.secret_key is None and not generated_secret_file(settings).exists()):
        return [Check("signing key", "ok", "Not looked at: there is no secret key to open it with yet.")]
    try:
        gatepost = Gatepost(settings, clock=clock)
        try:
            return [await _signing_key(gatepost), *await _sealed(gatepost)]
        finally:
            await gatepost.database.close()
    except (Stopped, DomainError) as error:
        return [Check("signing key", "danger", str(error))]


async def _signing_key(gatepost: "Gatepost") -> Check:
    from gatepost.tokens import UNOPENED, KeyState, SigningKeys

    listed = await gatepost.build(SigningKeys, gatepost.reading()).listed()
    keys = {key.state: key for key in listed}
    signing, options = keys.get(KeyState.SIGNING), gatepost.settings.tokens
    if signing is None:
        return Check("signing key", "ok", "None yet: the first start makes one.")
    if not signing.opens:
        return Check("signing key", "danger", UNOPENED)
    mend = "run a worker (GATEPOST_RUN_WORKER=true, or gatepost worker), or rotate: gatepost keys rotate"
    age = gatepost.clock.now() - (signing.activated_at or signing.created_at)
    if age > options.key_lifetime + _LATE:
        says = f"It has been signing for {age.days} days, longer than {options.key_lifetime.days}: nobody rotates it."
        return Check("signing key", "warning", says, mend)
    if signing.algorithm != options.algorithm and KeyState.NEXT not in keys:
        says = f"It is for {signing.algorithm}, and none for {options.algorithm} is prepared."
        return Check("signing key", "warning", says, mend)
    return Check("signing key", "ok", f"The secret key opens it. It has been signing for {age.days} days.")


async def _sealed(gatepost: "Gatepost") -> list[Check]:
    seals = await gatepost.sealed.seals()
    previous = sum(each.previous for each in seals.values())
    lost = {name: each.unknown for name, each in seals.items() if each.unknown}
    checks = [
        Check(
            "sealed values",
            "warning",
            f"{times} in {name} are sealed under a key that is not listed.",
            "list the key they were sealed under: export GATEPOST_PREVIOUS_SECRET_KEYS=...",
        )
        for name, times in lost.items()
    ]
    if previous:
        says = f"{previous} are sealed under a previous secret key, which is needed as long as they are."
        return [*checks, Check("sealed values", "warning", says, "gatepost keys reseal")]
    if gatepost.settings.previous_secret_keys:
        says = "Nothing is sealed under a previous secret key: GATEPOST_PREVIOUS_SECRET_KEYS can be emptied."
        return [*checks, Check("sealed values", "ok", says)]
    return checks or [Check("sealed values", "ok", "All are sealed under the secret key.")]


async def _redis(url: str) -> Check:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client: Any = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        await client.ping()
    except (RedisError, OSError, ValueError) as error:
        says = f"It does not answer ({type(error).__name__})."
        return Check("redis", "danger", says, "check GATEPOST_REDIS_URL, and that it runs")
    finally:
        await client.aclose()
    return Check("redis", "ok", "Reachable.")


def _shown(check: Check) -> str:
    colour = {"ok": "green", "warning": "yellow", "danger": "red"}[check.level]
    level = typer.style(f"{check.level:8}", fg=colour) if os.isatty(1) else f"{check.level:8}"
    mend = f"\n{'':9}mend it: {check.mend}" if check.mend else ""
    return f"{level} {check.name}: {printable(check.says)}{mend}"
