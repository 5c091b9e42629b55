"""A service that offers what tests need."""

from pathlib import Path

import pytest

from gatepost import Settings
from tests.conftest import make_settings


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    # A move sets the worker to work: for tests that wait until it has done it.
    return make_settings(database_url, tmp_path, test_api=True, run_worker=False)
