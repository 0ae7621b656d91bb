"""Servers of the kinds that these tests need."""

from collections.abc import Iterator

import pytest

from deploy.tools.etcd import Etcd


@pytest.fixture
def etcd_with_v2() -> Iterator[Etcd]:
    """A fresh real etcd 3.4 that answers both APIs."""
    with Etcd(v2=True) as running:
        yield running
