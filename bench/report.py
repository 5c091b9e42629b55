"""Tables from results, and the page docs/benchmarks.md."""

from collections.abc import Iterator
from statistics import median

from bench.results import Outcome, Results, middle
from bench.scenarios import HASHING_SCENARIOS
from bench.study_tables import study_tables
from bench.tables import Table, compact, number
from bench.targets import PLACES, targets

_CPU = "CPU ms"


def tables(results: Results) -> list[Table]:
    """Return every table for which there are figures."""
    found = [_targets(results), _ceilings(results)]
    for database, place in PLACES.items():
        outcomes = [each for each in results.outcomes if each.database == database]
        if outcomes:
            found += [_ratios(results, database, place, outcomes), _figures(place, outcomes)]
    found += [_floods(results), *study_tables(results), _starts(results), _faults(results)]
    return [each for each in found if each.rows]


def _targets(results: Results) -> Table:
    rows = [
        [each.promise, f"{compact(each.most)} {each.unit}", _with_unit(each.found, each.unit), each.verdict]
        for each in targets(results)
    ]
    return Table("Targets", ["promise", "at most", "found", "verdict"], rows)


def _with_unit(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{compact(value)} {unit}"


def _ceilings(results: Results) -> Table:
    rounds = results.rounds()
    table = Table("Ceilings", ["what", "per second", "p50 ms", "p99 ms", _CPU, "of it database"])
    if rounds:
        hash_ms = median(hash_ms for each in rounds for hash_ms in each.hashes_ms)
        table.rows.append(
            ["raw Argon2id, one thread", compact(1000 / hash_ms), "–", "–", compact(hash_ms), "–"]
        )
    for each in results.selects:
        name = f"raw select by primary key, {PLACES[each.database]}"
        cpu = (each.client_cpu_us + each.database_cpu_us) / 1000
        cells = [compact(each.per_second), "–", "–", number(cpu, 3), number(each.database_cpu_us / 1000, 3)]
        table.rows.append([name, *cells])
    if rounds:
        bare = [each.bare for each in rounds]
        cells = [compact(middle(each.rate for each in bare)), compact(middle(each.p50_ms for each in bare))]
        cells += [
            compact(middle(each.p99_ms for each in bare)),
            number(middle(each.cpu_ms for each in bare), 3),
        ]
        table.rows.append(["bare FastAPI route with a response model", *cells, "–"])
    return table


def _scenarios(outcomes: list[Outcome]) -> list[str]:
    names: dict[str, None] = {}
    for outcome in outcomes:
        for each in outcome.rounds:
            names.update(dict.fromkeys(each.scenarios))
    return list(names)


def _figures(place: str, outcomes: list[Outcome]) -> Table:
    columns = ["what", "who", "requests/s", "p50 ms", "p99 ms", _CPU, "server", "database"]
    table = Table(f"Figures on {place}", columns)
    for scenario in _scenarios(outcomes):
        for outcome in outcomes:
            cells = [
                compact(outcome.middle(scenario, lambda found: found.rate)),
                compact(outcome.middle(scenario, lambda found: found.p50_ms)),
                compact(outcome.middle(scenario, lambda found: found.p99_ms)),
                compact(outcome.middle(scenario, lambda found: found.cpu_ms)),
                compact(outcome.middle(scenario, lambda found: found.server_cpu_ms)),
                compact(outcome.middle(scenario, lambda found: found.database_cpu_ms)),
            ]
            if set(cells) != {"–"}:
                table.rows.append([scenario, outcome.name, *cells])
    return table


def _ratios(results: Results, database: str, place: str, outcomes: list[Outcome]) -> Table:
    columns = ["CPU per request", "reference", *(f"{each.name} ÷ reference" for each in outcomes)]
    peers = [each for each in outcomes if each.key.startswith("peer-")]
    ours = results.of(f"gatepost-{database}")
    columns += [f"Gatepost ÷ {each.name}" for each in peers] if ours else []
    table = Table(f"Ratios on {place}", columns)
    for scenario in _scenarios(outcomes):
        row = [scenario, "raw hash" if scenario.startswith(HASHING_SCENARIOS) else "bare route"]
        row += [compact(each.ratio_to_reference(scenario)) for each in outcomes]
        row += [compact(_between(ours, each, scenario)) for each in peers] if ours else []
        table.rows.append(row)
    return table


def _between(ours: Outcome, theirs: Outcome, scenario: str) -> float | None:
    above, below = (each.middle(scenario, lambda found: found.cpu_ms) for each in (ours, theirs))
    return above / below if above is not None and below else None


def _floods(results: Results) -> Table:
    columns = ["who", "server's processors", "probe", "idle p50", "idle p99", "flood p50", "flood p99"]
    columns += ["p99 ratio", "samples", "sign-ins/s", "refused"]
    table = Table("A light probe beside 20 sign-ins in flight (ms)", columns)
    for outcome in results.outcomes:
        for flood in outcome.floods:
            for path, probe in flood.probes.items():
                times = (probe.idle_p50_ms, probe.idle_p99_ms, probe.flood_p50_ms, probe.flood_p99_ms)
                cells = [compact(each) for each in (*times, probe.ratio)]
                cells += [str(probe.samples), compact(flood.sign_ins_per_second), str(flood.refused)]
                table.rows.append([outcome.name, str(flood.processors), path, *cells])
    return table


def _starts(results: Results) -> Table:
    columns = ["who", "database", "ready, s", "worker RSS, MB", "tree PSS, MB", "tree RSS, MB"]
    columns += ["worker RSS after load", "tree PSS after load", "processes"]
    table = Table("Cold start and memory", columns)
    for outcome in [*([results.bare] if results.bare else []), *results.outcomes]:
        table.rows.append([outcome.name, PLACES.get(outcome.database, "none"), *_start_cells(outcome)])
    return table


def _start_cells(outcome: Outcome) -> Iterator[str]:
    started, loaded = outcome.memory_started, outcome.memory_loaded
    yield number(middle(outcome.cold_starts))
    yield from (
        (compact(each) for each in (started.worker_rss, started.pss, started.rss)) if started else "–––"
    )
    yield from (compact(each) for each in (loaded.worker_rss, loaded.pss)) if loaded else "––"
    yield str(started.processes) if started else "–"


def _faults(results: Results) -> Table:
    table = Table("Not as expected", ["who", "what"])
    table.rows += [[key, f"not measured to the end: {why}"] for key, why in results.broken.items()]
    for outcome in results.outcomes:
        for scenario in _scenarios([outcome]):
            counts = [each.scenarios[scenario] for each in outcome.rounds if scenario in each.scenarios]
            failures = sum(each.failures for each in counts)
            if failures:
                of = sum(each.requests for each in counts)
                table.rows.append(
                    [outcome.key, f"{scenario}: {failures} of {of} answers {counts[-1].statuses}"]
                )
    million = [results.million.few, results.million.many] if results.million else []
    for variant in [*results.workers, *results.costs, *million]:
        for load in variant.rounds[0] if variant.rounds else ():
            failures = sum(each[load].failures for each in variant.rounds)
            if failures:
                table.rows.append([variant.name, f"{load}: {failures} answers failed"])
    return table
