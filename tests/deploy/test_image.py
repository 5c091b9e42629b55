"""The Dockerfile, run step by step and its result used: `scripts/prove_image.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="it mounts: Linux and root only")
def test_the_image_builds_serves_and_stops() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.prove_image"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "proven: somebody signs up" in done.stdout
    assert "proven: it ends with 0 on SIGTERM" in done.stdout
    assert "FAILED" not in done.stdout
