"""One Consul for all tests here; each has keys of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from tests.support.envconsul import Envconsul, put
from tests.support.oracle import consul_program


@pytest.fixture(scope="session")
def consul() -> Iterator[Consul]:
    """A real agent."""
    with Consul(program=consul_program()) as running:
        yield running


@pytest.fixture
def url(consul: Consul) -> Iterator[str]:
    """The agent's address; what a test wrote is gone after it."""
    yield consul.url
    put(consul.url, "", None)


@pytest.fixture
def program(url: str, tmp_path: Path) -> Iterator[Envconsul]:
    """The drop-in, not yet running."""
    with Envconsul(tmp_path, url) as prepared:
        yield prepared
