"""The pages that are written from the code are what the code says, and the check of it can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/reference.py", "--check", "--folder", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_pages_are_what_the_code_says() -> None:
    done = check(DOCS)
    assert done.returncode == 0, done.stderr


def test_a_page_that_differs_and_a_page_that_is_missing_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    shutil.copytree(DOCS, folder)
    page = folder / "reference/errors.md"
    page.write_text(
        page.read_text(encoding="utf-8").replace("`email-taken`", "`email-used`"), encoding="utf-8"
    )
    (folder / "reference/events.md").unlink()

    done = check(folder)

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        str(folder / "reference/errors.md"),
        str(folder / "reference/events.md"),
    ]
