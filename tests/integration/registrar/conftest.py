"""A real Consul whose end takes no time."""

from collections.abc import Iterator

import pytest

from deploy.tools.consul import Consul
from tests.support.oracle import consul_program


@pytest.fixture
def consul() -> Iterator[Consul]:
    """A fresh one; it is killed, as leaving in good order takes most of a second."""
    with Consul(program=consul_program()) as running:
        yield running
        running.kill()
