"""docs/embedding.md names all tables that a host has to leave alone."""

import re
from pathlib import Path

import gatepost.migrations.commands as migrations
from gatepost.core.models import Base
from gatepost.migrations import VERSION_TABLE

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_every_table_is_named() -> None:
    migrations.import_models()
    (said,) = re.findall(r"Gatepost's tables are (.+?)\. ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert {*re.findall(r"`(\w+)`", said)} == {*Base.metadata.tables, VERSION_TABLE}
