"""What every test gets: a blocking call inside the event loop fails the test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from deploy.tools.consul import Consul
from tests.support.oracle import consul_program

OURS = ["sidecar", "registrar", "templater", "dnsd", "ambassador", "adapter"]


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[BlockBuster]:
    with blockbuster_ctx(OURS) as blockbuster:
        yield blockbuster


@pytest.fixture
def consul() -> Iterator[Consul]:
    """A fresh real Consul 1.8.7."""
    with Consul(program=consul_program()) as running:
        yield running
