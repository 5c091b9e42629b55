"""One cluster for all faults: the processes that begin the run see all of it."""

from collections.abc import AsyncIterator

import pytest

from tests.soak.cluster import Cluster, cluster_with


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Two services behind a proxy, of which no scenario may ask to be started again."""
    async with cluster_with(tmp_path_factory.mktemp("cluster")) as running:
        began = [service.process.pid for service in running.services]
        yield running
        assert [service.process.poll() for service in running.services] == [None, None]
        assert [service.process.pid for service in running.services] == began
        crashed = [line for line in running.said.splitlines() if "request.crashed" in line]
        assert not crashed, crashed[:3]
