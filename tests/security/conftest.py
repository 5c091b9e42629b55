"""What the attacks share."""

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.make import Make
from tests.security.doors import Hall


@pytest.fixture
def hall(gatepost: Gatepost, client: AsyncClient, make: Make) -> Hall:
    """A running service with all its doors."""
    return Hall(gatepost, client, make)
