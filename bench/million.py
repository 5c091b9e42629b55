"""One million accounts on PostgreSQL against one thousand: the same requests, in turns."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from bench import client, crowd, gatepost, measure
from bench.findings import Million, Variant
from bench.load import Load
from bench.plan import PASSWORD
from bench.results import Results
from bench.servers import Server
from bench.site import Site, say
from bench.subjects import ADMIN_EMAIL, SEEDED_EMAIL, TEMPLATE_EMAIL, Subject
from gatepost.passwords import queries

DATABASES = ("gatepost_few", "gatepost_many")
FEW = 1_000
LOADS = SIGN_IN, ME, FIRST, DEEP, SEARCH = "sign-in", "me", "first page", "deep page", "e-mail search"
PEOPLE = 200
"""Accounts that take turns on GET /users/me."""

PAGE = 50
_SECONDS = 2
_DEEP_PAGES = 50
# Where the deep pages lie, as shares of the whole list.
_DEEP = (0.85, 0.94)
_STRIDE = 7919
# So cheap that the look-up shows beside the hash.
_CHEAPEST = {"GATEPOST_HASHING__MEMORY_KIB": "64", "GATEPOST_HASHING__ITERATIONS": "1"}


@dataclass(frozen=True, slots=True)
class _Town:
    """A service, how many accounts it has, and the administrator's access token."""

    subject: Subject
    server: Server
    accounts: int
    loads: dict[str, Load]


def study(site: Site, results: Results) -> None:
    """Fill both databases, start a service on each, and ask them in turns, one connection at a time."""
    few, many = (gatepost.on_postgresql(site, name, **_CHEAPEST) for name in DATABASES)
    _fill(few, FEW)
    began = time.monotonic()
    size = _fill(many, site.plan.many_accounts)
    filled = time.monotonic() - began
    say(f"million: {site.plan.many_accounts:,} accounts in {filled:.0f} s")
    processor = site.plan.placement.server
    with few.serving(processor) as one, many.serving(processor) as other:
        towns = (_town(few, one, FEW), _town(many, other, site.plan.many_accounts))
        found = Million(
            accounts=(FEW, site.plan.many_accounts),
            seconds_to_fill=filled,
            megabytes=size,
            few=Variant(f"{FEW:,}"),
            many=Variant(f"{site.plan.many_accounts:,}"),
            lookup_us=([], []),
        )
        for turn in range(site.plan.rounds + 2):
            _one_round(found, towns, turn, site)
            say(f"million: round {turn + 1} of {site.plan.rounds + 2}")
    results.million = found


def _fill(subject: Subject, accounts: int) -> float:
    """Return the size of the filled database in MB."""
    subject.prepare()
    with subject.serving(None) as server:
        client.register(server, subject.api, TEMPLATE_EMAIL, PASSWORD)
        client.sign_in(server, subject.api, TEMPLATE_EMAIL, PASSWORD)
    return asyncio.run(crowd.fill(_url(subject), accounts))


def _url(subject: Subject) -> str:
    return subject.environment["GATEPOST_DATABASE_URL"].replace("+asyncpg", "")


def _one_round(found: Million, towns: tuple[_Town, _Town], turn: int, site: Site) -> None:
    for variant, town, lookups in zip((found.few, found.many), towns, found.lookup_us, strict=True):
        variant.rounds.append({})
        lookups.append(asyncio.run(_lookup_us(_url(town.subject), town.accounts, _SECONDS)))
    for name in towns[0].loads:
        # Whoever comes first finds the processor as the last load left it: take turns in that too.
        both = list(zip((found.few, found.many), towns, strict=True))
        for variant, town in both if turn % 2 else reversed(both):
            result = measure.measured(town.loads[name], _SECONDS, town.server, site.postgres, site.plan)
            variant.rounds[-1][name] = result


def _town(subject: Subject, server: Server, accounts: int) -> _Town:
    admin = client.sign_in(server, subject.api, ADMIN_EMAIL, PASSWORD).access
    return _Town(subject, server, accounts, dict(_loads(subject, server, accounts, admin)))


def _loads(subject: Subject, server: Server, accounts: int, admin: str) -> Iterator[tuple[str, Load]]:
    sign_in = (SEEDED_EMAIL, str(accounts), "0", PASSWORD)
    yield SIGN_IN, Load(server.url + subject.api.token, "sign_in", sign_in, ends_itself=True)
    emails = [SEEDED_EMAIL % (number * _STRIDE % accounts) for number in range(PEOPLE)]
    tokens = [client.sign_in(server, subject.api, email, PASSWORD).access for email in emails]
    file = _written(subject.directory / "tokens", tokens)
    yield ME, Load(server.url + subject.api.me, "bearer", (str(file),))
    lists = {
        FIRST: [{}],
        DEEP: [{"cursor": cursor} for cursor in _deep_cursors(subject, accounts)],
        SEARCH: [{"q": f"user{digit}"} for digit in range(1, 10)],
    }
    for name, queries_ in lists.items():
        paths = [f"/users/?{urlencode({'limit': PAGE, **query})}" for query in queries_]
        _must_be_full(server, paths, admin)
        file = _written(subject.directory / name.replace(" ", "-"), paths)
        yield name, Load(server.url, "paths", (str(file), admin))


def _must_be_full(server: Server, paths: list[str], token: str) -> None:
    """Raise RuntimeError if a page is not full: few and many accounts must give the same answers to compare."""
    for path in paths:
        count = len(client.get(server, path, token)["items"])
        if count != PAGE:
            raise RuntimeError(f"{path} has {count} people, not {PAGE}")


def _deep_cursors(subject: Subject, accounts: int) -> list[str]:
    """Return cursors of pages far down the list, as the service makes them."""
    begin, end = (round(accounts * share) for share in _DEEP)
    # The list begins with the newest, and the newest account has the greatest number.
    numbers = range(accounts - end, accounts - begin, max(1, (end - begin) // _DEEP_PAGES))
    rows = [subject.store.row("users", "email", SEEDED_EMAIL % number) for number in numbers]
    return [gatepost.cursor([row["created_at"].isoformat(), str(row["id"])]) for row in rows]


def _written(file: Path, lines: list[str]) -> Path:
    file.write_text("\n".join(lines) + "\n")
    return file


async def _lookup_us(url: str, accounts: int, seconds: float) -> float:
    """Return the p50 of the statement with which a sign-in finds its account, asked by a bare driver."""
    connection = await asyncpg.connect(url)
    try:
        statement = await connection.prepare(str(queries.BY_EMAIL.compile(dialect=dialect.dialect())))
        taken: list[float] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            email = SEEDED_EMAIL % random.randrange(accounts)
            began = time.perf_counter()
            row = await statement.fetchrow(email)
            taken.append((time.perf_counter() - began) * 1_000_000)
            if row is None:
                raise RuntimeError(f"{email} is not among the accounts")
        return median(taken)
    finally:
        await connection.close()
