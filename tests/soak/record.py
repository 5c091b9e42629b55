"""What was measured, for the table in docs/reliability.md, and what must hold after every fault."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.ledger import half_states, lost
from tests.soak.load import Load

__all__ = ["judge", "record"]

KEPT = Path(__file__).parents[2] / ".cache" / "reliability"


def record(name: str, **figures: Any) -> None:
    """Keep figures for `scripts/reliability.py`, and print them."""
    KEPT.mkdir(parents=True, exist_ok=True)
    line = json.dumps(figures)
    (KEPT / f"{name}.json").write_text(line + "\n")
    sys.stdout.write(f"\n{name}: {line}\n")


async def judge(load: Load) -> None:
    """Fail if anything was lost or half done, if a refused change is there, or if anybody was let in wrongly."""
    assert not load.violations, load.violations
    assert load.probes.total() > 0, "nothing was probed"
    url = load.cluster.postgres.url
    gone, half = await lost(url, load.ledger), await half_states(url)
    assert not gone, gone
    assert not half, half
