"""The accessibility checker axe, asked about pages in a browser. It is fetched once into .cache, never committed."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

AXE = "axe-core@4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PLACE = Path(__file__).parent.parent / ".cache" / "axe"
FILE = PLACE / "node_modules" / "axe-core" / "axe.min.js"
FETCH = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PLACE), AXE]

# Rules of WCAG 2.2 A and AA, and those that are merely good practice.
RUN = "() => axe.run(document, {resultTypes: ['violations', 'incomplete']})"


@cache
def axe() -> str | None:
    """Return the checker's source; None where it is not here and cannot be fetched. Raises ValueError for another's."""
    if not FILE.exists():
        npm = shutil.which("npm")
        if (
            npm is None
            or subprocess.run([npm, *FETCH], capture_output=True, timeout=60, check=False).returncode
        ):
            return None
    source = FILE.read_bytes()
    if hashlib.sha256(source).hexdigest() != SHA256:
        raise ValueError(f"{FILE} is not the one that was pinned")
    return source.decode()


def axe_or_skip() -> str:
    """Return the checker's source; where it cannot be had the test is skipped, and fails with CI set."""
    source = axe()
    if source is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "axe is not in .cache/axe and npm cannot fetch it"
        )
    return source


def findings(result: dict[str, Any]) -> list[str]:
    """Return what the checker found, one line for each element."""
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']}: {node.get('failureSummary', '')}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
