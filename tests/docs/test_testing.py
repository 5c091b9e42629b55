"""docs/testing.md: its pytest example, run as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import environment, free_port

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PORT = '"8321"'


def suite(directory: Path, month: str) -> subprocess.CompletedProcess[str]:
    """Write the files, run them with pytest; `month` is how far the clock is moved."""
    for name, text in FILES.items():
        changed = text.replace(PORT, f'"{free_port()}"').replace('"P31D"', f'"{month}"')
        (directory / name).write_text(changed, encoding="utf-8")
    (directory / "pytest.ini").write_text("[pytest]\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = environment(
        directory, {"GATEPOST_DATA_DIR": "", "GATEPOST_SECRET_KEY": "", "GATEPOST_RATE_LIMITS": ""}
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        command,
        cwd=directory,
        # It needs none of the plugins that this suite has.
        env={**own, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_example_passes_as_printed(tmp_path: Path) -> None:
    assert set(FILES) == {"conftest.py", "test_sessions.py"}
    assert PORT in FILES["conftest.py"]
    said = suite(tmp_path, "P31D")
    assert said.returncode == 0, said.stdout
    assert "4 passed" in said.stdout


def test_the_example_never_sleeps() -> None:
    for text in FILES.values():
        assert "sleep" not in text


def test_the_example_fails_where_no_month_has_passed(tmp_path: Path) -> None:
    said = suite(tmp_path, "PT1S")
    assert said.returncode == 1
    assert "1 failed, 3 passed" in said.stdout
