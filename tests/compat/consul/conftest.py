"""The two sides that every test of this folder runs against."""

import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from deploy.tools.consul import Consul
from tests.compat.consul.replay import Side
from tests.compat.consul.steps import get, put
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


def locate(consul: Consul) -> None:
    """Tell where its node is; the agent does so only 15 to 30 s after the start.

    ``near=_agent`` sorts by it, and would change its answers in the middle of a recording.
    """
    with closing(Side(consul.url)) as side:
        place = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05}
        told = put("/v1/coordinate/update", {"Node": consul.node, "Segment": "", "Coord": place})
        assert side.send(told).status == 200
        until(lambda: side.send(get("/v1/coordinate/node/" + consul.node)).status == 200)


@contextmanager
def serving(side: str) -> Iterator[str]:
    """Run one side and give its address."""
    if side == "consul":
        with Consul(program=consul_program(), quiet=True) as consul:
            locate(consul)
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
