"""The command: `python -m bench [--quick] [--only NAME ...]`."""

import argparse
import dataclasses
import json
import sys

from bench import run
from bench.load import NoWrk
from bench.page import page
from bench.plan import ROOT, WORKSHOP, Plan
from bench.report import tables
from bench.results import Results

PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measure, print, and write what was found."""
    options = _options()
    _make_workshop()
    try:
        results = run.run(Plan.short() if options.quick else Plan(), options.only)
    except (NoWrk, FileNotFoundError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for fact, value in results.machine.items():
        print(f"{fact}: {value}")
    for table in tables(results):
        print(f"\n{table.text()}")
    print(f"\nWritten: {', '.join(_write(results))}")
    return 1 if results.broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Gatepost, ceilings and peers."
    )
    parser.add_argument("--quick", action="store_true", help="shorter, for changing the bench itself")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", choices=run.NAMES, help=", ".join(run.NAMES)
    )
    return parser.parse_args()


def _make_workshop() -> None:
    WORKSHOP.mkdir(exist_ok=True)
    (WORKSHOP / ".gitignore").write_text("*\n")


def _write(results: Results) -> list[str]:
    """Write JSON and page. Only a full run changes the page in docs/."""
    whole = not (results.quick or results.partial or results.broken)
    found, text = WORKSHOP / "results.json", PAGE if whole else WORKSHOP / "benchmarks.md"
    found.write_text(json.dumps(dataclasses.asdict(results), indent=2) + "\n")
    text.write_text(page(results))
    return [str(path.relative_to(ROOT)) for path in (found, text)]


if __name__ == "__main__":
    sys.exit(main())
