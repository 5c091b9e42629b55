"""The page docs/benchmarks.md: how it was measured, on what, and what was found."""

from bench import flood, scenarios
from bench.report import tables
from bench.results import Results

_INTRODUCTION = """\
# Benchmarks

Written by `make bench`; do not edit. Absolute figures belong to one machine. The ratios are what to compare:
every one of them comes from a single run on a single machine, in which the things compared took turns.
"""

_METHOD = """\
## Method

- **Servers.** Gatepost as `gatepost serve` starts it, one worker, rate limits off. The bare route is FastAPI with a
  response model on the same server (granian, uvloop, one worker). One peer is fastapi-users as its
  documentation's full example sets it up: SQLAlchemy adapter, JWT strategy, auth, register, reset, verify and
  users routers, uvicorn with uvloop and httptools; ours are only the database URL, Argon2id with Gatepost's
  parameters, and a `GET /health`. *Tuned* is the same on the same data with an index on `lower(email)`, 20 kept
  connections instead of 5, and no access log.
- **The peer that rotates.** Django REST framework with djangorestframework-simplejwt as its documentation sets it
  up, in the project that Django's `startproject` makes: `ROTATE_REFRESH_TOKENS` and `BLACKLIST_AFTER_ROTATION` on,
  its `token_blacklist` app, tokens signed with HS256 as by default (Gatepost signs with ES256, which costs more).
  psycopg 3, and granian as its WSGI server with one worker and one thread. Ours are the database, Argon2id with
  Gatepost's parameters, `DEBUG` off, a `GET /health` and a `GET /users/me`. Nobody can sign up. *Tuned* is the same
  with connections that are kept from request to request and, on SQLite, a write-ahead log.
- **Databases.** A fresh PostgreSQL with its defaults (fsync on), reached over TCP on loopback, and a SQLite
  file. {accounts:,} accounts in each, with one Argon2id hash (19 MiB, t=2, p=1), made by copying the rows of an
  account that was signed up by HTTP, or by Django's own `create_user`. Of each of Gatepost's there is one session of
  before, from the bench's own address: the sign-ins are the usual ones, of which nobody is told by mail. In the
  overload everybody comes from a new address, and is told.
- **Placement.** {placement}
- **Load.** wrk with a script for each request. {hashing} connections for what hashes, {reading} for what does
  not, {refreshing} chains for refresh tokens. `GET /users/me` takes turns with {tokens} accounts. What hashes
  stops sending at the end of its time and waits for the last answers, so that no work is counted without its
  answer. Latencies are wrk's, corrected by wrk for its own waiting.
- **CPU** is user and system time of all processes of the server, and of PostgreSQL, from the kernel's clock of
  each process, before and after each load, divided by the answers.
- **Medians.** {rounds} rounds; in each, every request is measured once for {seconds} s (cheap ones 2 s). What
  hashes stands between two measurements of a raw hash and is divided by their mean; what does not is divided by
  the bare route, measured just before. The median is taken of these ratios.
- **Flood.** {in_flight} sign-ins in flight; beside them one connection asks with a pause of {pause} ms after
  each answer. The idle p99 comes from the same probe before the flood. Once with the server bound to one
  processor, once free.
- **Overload.** Sign-ins at ten times the raw hash rate of all processors, each from another address that a
  trusted proxy reports; Gatepost's limits are on, with their defaults. Server and PostgreSQL may use every
  processor. Each probe lasts {overload} s, before the flood and beside it. A refusal is timed by the client, from
  sending to answer.
- **Workers and costs.** The variants take turns within each round; ratios are medians of the rounds' ratios.
  Workers are free to use every processor, the variants of `GET /users/me` are bound to one. For *limits* every
  request is counted under a limit that none of them reaches.
- **One million accounts.** Two databases, one service on each, one connection; rows made in SQL, with one session
  for five accounts and one role for a thousand. Lookups, tokens and pages are spread over the table.
- **Cold start** is from process start to the first good answer to `GET /health`, on an existing database, with
  files in the page cache; median of {cold_starts}.
- **Memory.** RSS of the largest process is the worker's; PSS adds all processes of the server and counts a
  shared page once. 1 MB is a million bytes.
"""


def page(results: Results) -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, _facts(results), _method(results), "## Results\n"]
    parts += [f"{each.markdown()}\n" for each in tables(results)]
    return "\n".join(parts)


def _facts(results: Results) -> str:
    facts = {**results.machine, **results.versions}
    return "\n".join(
        ["## Machine and versions", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    )


def _method(results: Results) -> str:
    plan = results.plan
    return _METHOD.format(
        accounts=plan["accounts"],
        placement=_placement(plan["placement"]),
        hashing=scenarios.HASHING,
        reading=scenarios.READING,
        refreshing=scenarios.REFRESHING,
        tokens=scenarios.TOKENS,
        rounds=plan["rounds"],
        seconds=plan["seconds"],
        in_flight=flood.IN_FLIGHT,
        pause=flood.PAUSE_MS,
        overload=plan["overload_probe_seconds"],
        cold_starts=plan["cold_starts"],
    )


def _placement(placement: object) -> str:
    pinned = isinstance(placement, dict) and placement["server"] is not None
    if pinned:
        return "The server is bound to one processor, wrk to another; PostgreSQL is free to use either."
    return "Nothing is bound to a processor."
