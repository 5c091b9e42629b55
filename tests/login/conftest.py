"""Where the generated tests of ways run: there are many, and most of what they ask no database decides."""

import pytest

from gatepost.login import Way

_ON_BOTH = {"test_the_right_proof_lets_in", "test_two_proofs_at_once_let_in_once"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run ways with a second factor on SQLite, and on PostgreSQL where they come in, and several at once."""
    left_out = [item for item in items if _is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_left_out(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    given = item.callspec.params
    way = given.get("way")
    if given.get("database_url") != "postgresql" or item.originalname in _ON_BOTH or not isinstance(way, Way):
        return False
    return len(way.proofs) > 1 or any("passkey" in proof.name for proof in way.proofs)
