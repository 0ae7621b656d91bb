"""One ZooKeeper for the tests of this folder, emptied before each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.stores.conformance.zookeeper import ZooKeeperBackend


@pytest.fixture(scope="session")
def entered_zookeeper() -> Iterator[ZooKeeperBackend]:
    """Start it once: a JVM takes its time."""
    with ZooKeeperBackend() as backend:
        yield backend


@pytest.fixture
async def zookeeper(entered_zookeeper: ZooKeeperBackend) -> AsyncIterator[ZooKeeperBackend]:
    """Give a running, empty server."""
    await entered_zookeeper.fresh()
    yield entered_zookeeper
    await entered_zookeeper.thaw()
