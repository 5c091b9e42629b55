"""Where one run takes place: its folder, its PostgreSQL, and what is filled there already."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import seed
from bench.plan import Plan
from bench.postgres import Cluster
from bench.subjects import Subject


@dataclass(slots=True)
class Site:
    """What every part of a run needs."""

    plan: Plan
    folder: Path
    postgres: Cluster
    filled: set[Path] = field(default_factory=set)
    """Folders of subjects that have their accounts."""

    def directory(self, name: str) -> Path:
        """Return a folder of the run, made if it is not there."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def prepare(self, subject: Subject) -> None:
        """Fill the subject's tables once; do its adjustments; leave no housekeeping for later."""
        if subject.directory not in self.filled:
            subject.prepare()
            with subject.serving(None) as server:
                seed.fill(subject, server, self.plan.accounts)
            self.filled.add(subject.directory)
        subject.store.execute(*subject.adjust)
        subject.store.settle()


_began = time.monotonic()


def say(what: str) -> None:
    """Tell whoever waits where the run is."""
    print(f"[{time.monotonic() - _began:4.0f} s] {what}", file=sys.stderr, flush=True)
