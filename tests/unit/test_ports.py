"""The ports that tests and tools choose."""

from deploy.tools.server import free_ports
from tests.support.ports import free_port


def test_no_port_is_given_twice_and_none_that_a_connection_may_leave_from() -> None:
    ports = [*free_ports(50), *(free_port() for _ in range(50))]
    assert len({*ports}) == 100
    assert max(ports) < 32_768
