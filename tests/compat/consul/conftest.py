"""The two sides that every test of this folder runs against."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.tools.consul import Consul
from tests.support.oracle import consul_program
from tests.support.pinnace import Pinnace, until

SIDES = ("consul", "pinnace")
_ENV = {
    "PINNACE_REGISTRAR__NODE": "oracle"
}  # answers are ordered by node: both sides have one name


@pytest.fixture(scope="session", params=SIDES)
def base_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of one side's HTTP API; tests share the server and use names of their own."""
    with serving(request.param) as url:
        yield url


@pytest.fixture(params=SIDES)
def fresh_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a server that nobody has asked anything."""
    with serving(request.param) as url:
        yield url


@contextmanager
def serving(side: str) -> Iterator[str]:
    """Run one side and give its address."""
    if side == "consul":
        with Consul(program=consul_program(), quiet=True) as consul:
            yield consul.url
    else:
        # without an engine /readyz stays 503: the API is what has to answer
        with Pinnace("unix:///nowhere", lb=False, wait=False, env=_ENV) as pinnace:
            until(lambda: pinnace.get("/v1/status/leader")[0] == 200)
            yield f"http://127.0.0.1:{pinnace.http_port}"


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A word that no other test of the run uses."""
    return f"t{zlib.crc32(request.node.nodeid.encode())}"
