"""Somebody in front of the pages, and somebody with an account."""

import pytest

from gatepost import Gatepost
from tests.make import Make, Person
from tests.pages.browsing import Browser


@pytest.fixture
def browser(gatepost: Gatepost) -> Browser:
    """A browser of nobody's yet."""
    return Browser(gatepost)


@pytest.fixture
async def person(make: Make) -> Person:
    """Somebody with a password, and nothing else."""
    return await make.user()
