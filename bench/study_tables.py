"""Tables of the studies: overload, workers, costs, one million accounts."""

from collections.abc import Iterator
from statistics import median

from bench import costs, guard, million, overload, workers
from bench.findings import Check, Million, Overload, Variant
from bench.results import Results
from bench.tables import Table, compact, number


def study_tables(results: Results) -> Iterator[Table]:
    """Yield every study's tables; without rows where it was not run."""
    yield _flood(results.overloads)
    yield _beside_the_flood(results.overloads)
    yield _workers(results.workers)
    yield _costs(results.costs)
    if results.million:
        yield _million(results.million)
    yield _guard(results.guard)


def _flood(found: list[Overload]) -> Table:
    columns = ["who", "sign-ins sent/s", "signed in/s", "p50 ms", "refused", "of those with Retry-After"]
    columns += ["refused in: p50 ms", "p99 ms", "max ms", "no answer", "RSS before, MB", "most", "after"]
    table = Table(
        f"A flood of sign-ins from many addresses, {overload.TIMES_CAPACITY} times what the machine can hash",
        columns,
    )
    for each in found:
        memory = (each.memory_before.rss, each.memory_most, each.memory_after.rss)
        timed = (each.refused.p50_ms, each.refused.p99_ms, each.refused.max_ms)
        table.rows.append(
            [
                each.name,
                compact(each.sent_rate),
                compact(each.signed_in_rate),
                compact(each.signed_in.p50_ms or None),
                f"{each.refused_all:,}",
                f"{each.refused_politely / each.refused_all:.2%}" if each.refused_all else "–",
                *(compact(value) if each.refused_all else "–" for value in timed),
                str(each.unanswered),
                *map(compact, memory),
            ]
        )
    rates = f"The client tries to send {found[0].wanted_rate:,.0f} sign-ins a second" if found else ""
    table.note = (
        f"{rates}, over as many connections as Gatepost lets wait ({overload.WAITING}) and {overload.EXCESS} more. "
        f"Limits are on, with their defaults. The peer refuses nobody: what is more than it can hash waits."
    )
    return table


def _beside_the_flood(found: list[Overload]) -> Table:
    columns = ["who", "probe", "idle p50", "idle p99", "flood p50", "flood p99", "p99 ratio"]
    columns += ["less the scheduler's share", "samples"]
    table = Table("A light probe beside that flood (ms)", columns)
    for each in found:
        for path, probe in each.probes.items():
            times = (probe.idle_p50_ms, probe.idle_p99_ms, probe.flood_p50_ms, probe.flood_p99_ms)
            cells = [compact(value) for value in (*times, probe.ratio, each.ratio(path))]
            table.rows.append([each.name, path, *cells, str(probe.samples)])
        times = (each.bare.idle_p50_ms, each.bare.idle_p99_ms, each.bare.flood_p50_ms, each.bare.flood_p99_ms)
        cells = [compact(value) for value in (*times, each.bare.ratio)]
        table.rows.append([f"bare route, beside {each.name}", "GET /me", *cells, "–", str(each.bare.samples)])
    table.note = (
        "Server, PostgreSQL, the flood's client and the probe share the processors. The bare route runs in a "
        "process of its own that nobody floods: what its p99 gains is the scheduler's share, and is taken off."
    )
    return table


def _workers(found: list[Variant]) -> Table:
    columns = ["what", *(f"{each.name}, requests/s" for each in found), "ratio"]
    columns += [f"{each.name}, p99 ms" for each in found] + [f"{each.name}, CPU ms" for each in found]
    table = Table("Two workers on PostgreSQL and Redis against one", columns)
    for load in workers.LOADS if found else ():
        one, *_, last = found
        cells = [compact(each.middle(load, "rate")) for each in found]
        cells.append(compact(last.ratio(one, load, "rate")))
        cells += [compact(each.middle(load, "p99_ms")) for each in found]
        cells += [compact(each.middle(load, "cpu_ms")) for each in found]
        table.rows.append([load, *cells])
    table.note = "Workers, PostgreSQL, Redis and the load client share the machine's processors."
    return table


def _costs(found: list[Variant]) -> Table:
    columns = ["GET /users/me", "requests/s", "CPU ms", "server", "database", "Redis", "÷ bare route"]
    columns += ["÷ limits off", "Redis round trips per request", "commands per request"]
    table = Table("Cost of limits and cache", columns)
    held = {each.name: each for each in found}
    for each in found:
        cells = [compact(each.middle(costs.LOAD, "rate")), number(costs.cpu_ms(each), 3)]
        cells += [number(each.middle(costs.LOAD, f"{part}_cpu_ms"), 3) for part in ("server", "database")]
        cells += [number(costs.redis_ms(each), 3), compact(costs.ratio(each, held[costs.BARE]))]
        unlimited = {costs.LIMITED: costs.PLAIN, costs.CACHED_LIMITED: costs.CACHED}.get(each.name)
        cells.append(compact(costs.ratio(each, held[unlimited])) if unlimited else "–")
        cells += [number(each.redis_reads, 2), _commands(each)]
        table.rows.append([each.name, *cells])
    table.note = (
        "CPU of the server, of PostgreSQL and of Redis. Redis counts a command inside a script too; a round trip "
        "is one reading from a client's connection."
    )
    return table


def _commands(variant: Variant) -> str:
    told = sorted(variant.redis_commands.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {count:.2f}" for name, count in told) or "–"


def _million(found: Million) -> Table:
    few, many = (f"{count:,}" for count in found.accounts)
    columns = [
        "what",
        f"{few}: p50 ms",
        f"{many}: p50 ms",
        "ratio",
        f"{few}: CPU ms",
        f"{many}: CPU ms",
        "ratio",
    ]
    table = Table(f"{many} accounts on PostgreSQL against {few}", columns)
    lookups = [median(values) / 1000 for values in found.lookup_us]
    cells = [*(number(value, 3) for value in lookups), number(found.lookup_ratio)]
    table.rows.append(["sign-in look-up, the statement alone", *cells, "–", "–", "–"])
    for load in million.LOADS:
        cells = []
        for part in ("p50_ms", "cpu_ms"):
            cells += [number(each.middle(load, part), 3) for each in (found.few, found.many)]
            cells.append(number(found.many.ratio(found.few, load, part)))
        table.rows.append([load, *cells])
    table.note = (
        f"One connection. Sign-in with the cheapest hash there is, so that the look-up shows. Pages of "
        f"{million.PAGE}; deep ones begin at 85 to 94 % of the list. Filled in {found.seconds_to_fill:.0f} s, "
        f"{found.megabytes:,.0f} MB."
    )
    return table


def _guard(found: list[Check]) -> Table:
    table = Table("The guard in another service", ["what a request bears", "CPU µs"])
    table.rows += [[each.name, compact(each.middle_us)] for each in found]
    table.note = (
        f"Per request, in the guard itself, without the framework around it; {guard.ENDED_SESSIONS:,} sessions "
        f"have ended lately. The issuer is not asked for any of them."
    )
    return table
