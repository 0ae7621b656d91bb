import pytest

from registrar.addresses import reach_of
from registrar.ports import Offer, Place
from sidecar.engine.facts import Binding, Container, Port
from tests.support.docker import PLACE, container


def address_of(
    box: Container, offer: Offer, place: Place, peer: Container | None, network: str
) -> str | None:
    reach = reach_of(box, offer, place, peer, network)
    return None if reach is None else reach.address


@pytest.mark.parametrize(
    ("bound", "ip", "address"),
    [
        ("0.0.0.0", "", "192.0.2.7"), ("", "", "192.0.2.7"), ("::", "", "192.0.2.7"),
        ("127.0.0.1", "", "127.0.0.1"), ("127.0.0.1", "192.0.2.9", "192.0.2.9"),
        ("2001:db8::1", "", "2001:db8::1"), ("evil\n", "", "192.0.2.7"),
    ],
)  # fmt: skip
def test_a_published_port_is_at_a_host_address(bound: str, ip: str, address: str) -> None:
    place = Place(node="vm", address="192.0.2.7", owner="o", ip=ip)
    on_user_network = container(mode="front", networks={"front": "172.19.0.2"})
    offer = Offer(Port(80), Binding(bound, 8080))
    assert address_of(on_user_network, offer, place, None, "") == address


@pytest.mark.parametrize(
    ("mode", "networks", "preferred", "address"),
    [
        pytest.param("default", {"bridge": "172.17.0.2"}, "", "172.17.0.2", id="bridge"),
        pytest.param("b", {"a": "10.0.0.1", "b": "10.0.1.1"}, "", "10.0.1.1", id="started-on"),
        pytest.param("b", {"a": "10.0.0.1", "b": "10.0.1.1"}, "a", "10.0.0.1", id="preferred"),
        pytest.param("x", {"b": "10.0.1.1", "a": "10.0.0.1"}, "", "10.0.0.1", id="first-by-name"),
        pytest.param("b", {"b": "", "c": "fd00::5"}, "zz", "fd00::5", id="ipv6-only"),
        pytest.param("b", {"b": "nonsense"}, "", None, id="no-address"),
    ],
)
def test_an_internal_port_is_at_the_containers_address(
    mode: str, networks: dict[str, str], preferred: str, address: str | None
) -> None:
    box = container(mode=mode, networks=networks)
    assert address_of(box, Offer(Port(80), None), PLACE, None, preferred) == address


def test_an_engine_that_lists_no_networks_still_gives_its_own_address() -> None:
    box = type(container())(id="x", address="172.17.0.9")
    assert address_of(box, Offer(Port(80), None), PLACE, None, "") == "172.17.0.9"


def test_a_shared_network_has_the_address_of_its_living_owner() -> None:
    box = container(mode="container:peer")
    offer = Offer(Port(80), None)
    peer = container("peer", networks={"bridge": "172.17.0.5"})
    assert address_of(box, offer, PLACE, peer, "") == "172.17.0.5"
    assert address_of(box, offer, PLACE, container("peer", mode="host"), "") == PLACE.address
    assert address_of(box, offer, PLACE, container("peer", Running=False), "") is None
    assert address_of(box, offer, PLACE, None, "") is None
