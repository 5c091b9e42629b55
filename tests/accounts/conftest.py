"""What the tests of journeys by mail share."""

import pytest

from gatepost import Gatepost
from tests.post import Post


@pytest.fixture
def post(gatepost: Gatepost) -> Post:
    """The mail of the service; its own worker must not run."""
    return Post(gatepost)
