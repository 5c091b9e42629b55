"""docs/asvs.md names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=str)
def test_what_proves_an_item_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not test or test in found


def test_every_item_of_its_chapters_is_there() -> None:
    """Each chapter's last item, by OWASP's count."""
    items = set(re.findall(r"V\d+\.\d+\.\d+", PAGE))
    for last in ("V4.1.5", "V4.2.5", "V4.3.2", "V4.4.4", "V12.1.5", "V12.2.2", "V12.3.5", "V13.1.4"):
        assert last in items
    for last in ("V6.3.8", "V6.4.6"):
        assert last in items
    for last in (
        "V7.1.3",
        "V7.2.4",
        "V7.3.2",
        "V7.4.5",
        "V7.5.3",
        "V7.6.2",
        "V8.1.4",
        "V8.2.4",
        "V8.3.3",
        "V8.4.2",
    ):
        assert last in items
    for last in ("V9.1.3", "V9.2.4"):
        assert last in items
    for last in ("V13.2.6", "V13.3.4", "V13.4.7", "V14.1.2", "V14.2.8", "V14.3.3", "V16.1.1"):
        assert last in items
    for last in ("V16.2.5", "V16.3.4", "V16.4.3", "V16.5.4"):
        assert last in items
