"""Which tests are measured for coverage. Tracing more than doubles the cost of a test, so little is traced twice.

A pytest plugin, loaded by conftest.py. What runs on both databases is measured on SQLite; of PostgreSQL only the tests
that there are for it alone. What repeats by the hundred, or in processes of its own, what others have measured is in
`REPEATING`, or is marked `unmeasured`. So the figure is a lower bound.
"""

import os
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import pytest

__all__ = ["MEASURES_CHILDREN", "unmeasured"]

REPEATING = (
    "tests/api/test_openapi_properties.py",
    "tests/browsers/test_pages_of_other_origins.py",
    "tests/deploy/",
    "tests/docs/",
    "tests/guard/test_microservice.py",
    "tests/login/test_ways.py::test_d11_e15_nobody_who_may_not_comes_in",
    "tests/pages/test_docs.py",
    "tests/pages/test_factors_in_a_browser.py",
    "tests/pages/test_in_a_browser.py",
    "tests/races/",
    "tests/security/",
    "tests/test_house_rules.py",
    "tests/tokens/test_refresh_families.py",
    "tests/tokens/test_rotation_goes_unnoticed.py",
)

# Set by coverage.py's patch `subprocess`: a process that inherits it measures itself.
MEASURES_CHILDREN = "COVERAGE_PROCESS_CONFIG"
_UNMEASURED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unmeasured: leave it out of the measure of coverage")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    found = {item.nodeid for item in items}
    for item in items:
        on_sqlite = item.nodeid.replace("postgresql", "sqlite")
        item.stash[_UNMEASURED] = (
            (on_sqlite != item.nodeid and on_sqlite in found)
            or item.nodeid.startswith(REPEATING)
            or item.get_closest_marker("unmeasured") is not None
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if sys.gettrace() is None or not item.stash.get(_UNMEASURED, False):
        return (yield)
    with unmeasured():
        return (yield)


@contextmanager
def unmeasured() -> Generator[None]:
    """Trace nothing meanwhile: not here, not in threads and processes that are started."""
    here, in_threads, in_children = (
        sys.gettrace(),
        threading.gettrace(),
        os.environ.pop(MEASURES_CHILDREN, None),
    )
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        threading.settrace(in_threads)
        sys.settrace(here)
        if in_children is not None:
            os.environ[MEASURES_CHILDREN] = in_children
