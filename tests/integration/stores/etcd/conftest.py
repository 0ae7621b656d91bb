"""Servers of the kinds that these tests need."""

from collections.abc import Iterator

import pytest

from deploy.tools.etcd import Etcd
from tests.integration.stores.etcd.harness import emptied


@pytest.fixture(scope="session")
def shared_etcd() -> Iterator[Etcd]:
    """One real etcd 3.4 that answers both APIs."""
    with Etcd(v2=True) as running:
        yield running


@pytest.fixture
def server(shared_etcd: Etcd) -> Etcd:
    """The shared one, empty; tests that end it take ``etcd``."""
    emptied(shared_etcd)
    return shared_etcd
