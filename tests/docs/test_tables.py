"""docs/embedding.md names all tables that a host has to leave alone."""

import re
import subprocess
import sys
from pathlib import Path

import gatepost.migrations.commands as migrations
from gatepost.core.models import Base
from gatepost.migrations import VERSION_TABLE

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_every_table_is_named() -> None:
    migrations.import_models()
    (said,) = re.findall(r"Gatepost's tables are (.+?)\. ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert {*re.findall(r"`(\w+)`", said)} == {*Base.metadata.tables, VERSION_TABLE}


def test_db_check_is_content_with_what_db_upgrade_has_made(tmp_path: Path) -> None:
    # In a process that has imported nothing else: there some tables were unknown.
    for command in ("upgrade", "check"):
        words = [sys.executable, "-m", "gatepost", "db", command, "--data-dir", str(tmp_path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
