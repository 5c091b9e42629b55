"""Writes docs/reliability.md from the figures that `make soak` kept: `python scripts/reliability.py`."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "reliability"
PAGE = ROOT / "docs" / "reliability.md"

# What was done, by the name under which its figures are kept.
SCENARIOS = {
    "f01": ("F01", "a worker is killed (SIGKILL) every two seconds, ten times"),
    "f04-5s": ("F04", "PostgreSQL crashes and is away for 5 s"),
    "f04-15s": ("F04", "PostgreSQL crashes and is away for 15 s"),
    "f06": ("F06", "PostgreSQL is frozen (SIGSTOP) for 12 s"),
    "f08": ("F08", "every connection for changes is held: 80 changes wait for locked rows"),
    "f09": ("F09", "thousands of clients go away amid the request, the work and the answer"),
    "f10-deadlocks": ("F10", "PostgreSQL undoes transactions: deadlocks"),
    "f10-serialization": ("F10", "PostgreSQL undoes transactions: serialization"),
    "f11": ("F11", "somebody locks the table of people for 20 s"),
    "f12-killed": ("F12", "Redis is killed, and started again"),
    "f12-emptied": ("F12", "Redis forgets everything (FLUSHALL)"),
    "f12-frozen": ("F12", "Redis is frozen (SIGSTOP)"),
    "f12-full": ("F12", "Redis is full, and refuses to write"),
    "f19": ("F19", "PostgreSQL is away for 30 s, and 60 clients repeat at once, five times, whatever fails"),
    "f20": ("F20", "two thousand slow clients, half through the proxy, half at a service itself"),
    "f32-refresh": ("F32", "a thousand sessions are refreshed in the same second"),
}

HEAD = """# Reliability

Written by `scripts/reliability.py` from what `make soak` measured; do not edit. Set-up: two services of two workers
each on one PostgreSQL 15 and one Redis 7, behind haproxy, all on one machine of two processors. Meanwhile clients sign
up, sign in, read, change, refresh and sign out, keep books of what was acknowledged, and try all the time what must
never work: tokens of ended sessions, forged tokens, wrong passwords.

In every row here: no acknowledged write was lost, nothing that must be refused was let in, no half state was left, and
no process was started again by hand. A test fails otherwise.
"""

TAIL = """
`red` is how long after the fault the first readiness probe failed, `green` how long after its end the last one did
(`–`: never failed). `whole again` is how long after its end the last request failed.

## Proven in the ordinary suite

F02 (killed between steps), F03 (answers that are lost), F14 and F16 (set-up codes, clocks), F19 and F20 as far as one
process goes (floods, slow and giant requests: `tests/security/test_k_resources.py`,
`tests/security/test_slow_clients.py`, `tests/security/test_k_hashing.py`), F21 (stopping under load:
`tests/soak/test_drain.py`), F22 (starting without what is needed: `tests/cli/test_serve.py`), F28 and F29 (no stale
authorization: `tests/races/test_no_stale_callers.py`), F32 (one read for all who ask at once:
`tests/tokens/test_callers.py`, `tests/tokens/test_keys.py`).

F19, F20 and F32 as scenarios of their own are in `tests/soak/test_storms.py`. F05 needs a replica, and is not measured.
"""


def main() -> int:
    """Write the page; fail if there are no figures."""
    kept = {name: json.loads((KEPT / f"{name}.json").read_text()) for name in SCENARIOS if _is_kept(name)}
    if not kept:
        print("no figures: run `make soak` first", file=sys.stderr)
        return 1
    lines = [
        "",
        "| | what happened | answers | longest | red | green | whole again |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    lines += [_row(name, figures) for name, figures in kept.items()]
    text = HEAD + "\n".join(lines) + "\n" + _limits(kept) + _door() + TAIL
    PAGE.write_text(text)
    print(f"Wrote {PAGE.relative_to(ROOT)}")
    return 0


def _is_kept(name: str) -> bool:
    return (KEPT / f"{name}.json").exists()


def _row(name: str, figures: dict[str, Any]) -> str:
    fault, what = SCENARIOS[name]
    cells = [fault, what, _answers(figures), _seconds(figures.get("longest_answer"))]
    cells += [_seconds(figures.get("not_ready_after")), _seconds(figures.get("ready_again_after"))]
    whole = figures.get("recovered_after", figures.get("failures_end_after"))
    return "| " + " | ".join([*cells, _seconds(whole)]) + " |"


def _answers(figures: dict[str, Any]) -> str:
    if "changes_refused" in figures:
        return (
            f"{figures['changes_refused']} changes refused with 503; {figures['me_answers']} reads answered"
        )
    answers = figures.get("answers") or figures.get("others", {})
    good = sum(count for status, count in answers.items() if status.startswith("2"))
    others = [f"{count} × {status}" for status, count in answers.items() if not status.startswith("2")]
    return ", ".join([f"{good} good", *others])


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _limits(kept: dict[str, Any]) -> str:
    rows = [
        f"| {SCENARIOS[name][1]} | {figures['asked']} | {figures['admitted']} | {figures['admitted_at_most']} |"
        for name, figures in kept.items()
        if "admitted_at_most" in figures
    ]
    if not rows:
        return ""
    head = (
        "\n## Limits while Redis is away\n\nEach process then counts for itself; none lets everything through.\n\n"
        "| | asked | admitted | at most |\n|---|--:|--:|--:|\n"
    )
    return head + "\n".join(rows) + "\n"


def _door() -> str:
    path = KEPT / "public-door.json"
    if not path.exists():
        return ""
    figures = json.loads(path.read_text())
    tests, skipped, files = figures["tests"], figures["skipped"], len(figures["files"])
    said = [
        f"\n## The public door\n\n{tests} tests and parts of tests that use HTTP alone ran against this, through",
        f"the proxy: {figures['failed']} failed. {skipped} were left out: a case of them needs more.",
        f"They come from {files} files of the ordinary suite.\n",
    ]
    return "\n".join(said)


if __name__ == "__main__":
    sys.exit(main())
