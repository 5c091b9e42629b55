"""What the tests of passkeys share."""

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.passkeys.desk import Desk


@pytest.fixture
def desk(gatepost: Gatepost, client: AsyncClient) -> Desk:
    """A browser and a door."""
    return Desk(gatepost, client)
