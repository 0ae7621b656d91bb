from dataclasses import replace
from typing import Any

import pytest

from registrar.addresses import Reach, original_address, reach_of
from registrar.mapping import instances_of
from registrar.ports import Offer, Place
from sidecar.engine.facts import Binding, Container, Port, container_of
from tests.support.docker import PLACE, container, document


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


BOTH = {"bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": "fd00::2"}}


def on_networks(networks: dict[str, dict[str, str]], mode: str = "default") -> Container:
    found = document(mode=mode)
    found["NetworkSettings"]["Networks"] = networks
    return container_of(found)


@pytest.mark.parametrize(
    ("preferences", "reach"),
    [
        ((), Reach("10.0.1.1", "fd01::1")),
        (("a",), Reach("10.0.0.1")),
        (("gone", "a"), Reach("10.0.0.1")),
        (("10.0.0.0/24",), Reach("10.0.0.1")),
        (("fd01::/64",), Reach("fd01::1", "10.0.1.1")),
        (("inet6",), Reach("fd01::1", "10.0.1.1")),
        (("inet", "b"), Reach("10.0.0.1")),
        (("192.168.0.0/16", "x/y"), Reach("10.0.1.1", "fd01::1")),
    ],
)
def test_the_operator_prefers_networks_ranges_or_a_family(
    preferences: tuple[str, ...], reach: Reach
) -> None:
    networks = {
        "a": {"IPAddress": "10.0.0.1"},
        "b": {"IPAddress": "10.0.1.1", "GlobalIPv6Address": "fd01::1"},
    }
    box = on_networks(networks, mode="b")
    place = replace(PLACE, networks=preferences)
    assert reach_of(box, Offer(Port(80), None), place, None, "") == reach
    assert reach_of(box, Offer(Port(80), None), place, None, "a") == Reach("10.0.0.1")


@pytest.mark.parametrize(
    ("bound", "reach"),
    [
        (("0.0.0.0", "::"), Reach("192.0.2.7", "2001:db8::7")),
        (("0.0.0.0",), Reach("192.0.2.7")),
        (("::",), Reach("2001:db8::7")),
        (("2001:db8::1", "0.0.0.0"), Reach("2001:db8::1")),
    ],
)
def test_a_host_with_two_families_is_reached_by_those_that_are_bound(
    bound: tuple[str, ...], reach: Reach
) -> None:
    found = document(published={"80/tcp": ":8080"})
    found["NetworkSettings"]["Ports"]["80/tcp"] = [
        {"HostIp": address, "HostPort": "8080"} for address in bound
    ]
    box = container_of(found)
    offer = Offer(Port(80), Binding(bound[0], 8080))
    assert reach_of(box, offer, replace(PLACE, second="2001:db8::7"), None, "") == reach


def test_both_families_stand_in_the_instance_under_consuls_names() -> None:
    found = document(exposed=("80/tcp",))
    found["NetworkSettings"]["Networks"] = BOTH
    (instance,) = instances_of(container_of(found), PLACE).instances
    assert instance.address == "172.17.0.2"
    assert dict(instance.tagged) == {
        "lan_ipv4": ("172.17.0.2", 80),
        "lan_ipv6": ("fd00::2", 80),
        "wan_ipv4": ("172.17.0.2", 80),
        "wan_ipv6": ("fd00::2", 80),
    }


def test_the_host_network_has_no_address_of_its_own_for_others_when_all_is_internal() -> None:
    box = container(mode="host", exposed=("80/tcp",))
    offer = Offer(Port(80), Binding("", 80))
    internal = replace(PLACE, internal="always")
    assert reach_of(box, offer, internal, None, "") == Reach("192.0.2.7")
    assert reach_of(box, offer, replace(internal, is_ours=False), None, "") == Reach("")


@pytest.mark.parametrize(
    ("box", "offer", "place", "address"),
    [
        (container(), Binding("", 1), {}, "192.0.2.7"),
        (container(), Binding("::", 1), {}, "::"),
        (container(), Binding("10.0.0.1", 1), {"ip": "h.example"}, "h.example"),
        (container(mode="f", networks={"f": "10.0.0.2"}), Binding("", 1), {}, "10.0.0.2"),
        (container(mode="f", networks={}), Binding("", 1), {}, ""),
        (container(networks={"a": "", "b": "10.0.0.3"}), None, {}, "10.0.0.3"),
        (container(networks={}), None, {}, ""),
        (container(labels={"l": "x/y/z"}), None, {"ip_label": "l"}, "x/y"),
        (container(labels={"l": ""}), Binding("", 1), {"ip_label": "l"}, "192.0.2.7"),
    ],
)
def test_registrator_has_its_own_ways(
    box: Container, offer: Binding | None, place: dict[str, Any], address: str
) -> None:
    where = replace(PLACE, **place)
    assert original_address(box, Offer(Port(80), offer), where, None) == address


def test_there_a_shared_network_beats_everything() -> None:
    box = container(mode="container:peer", labels={"l": "10.0.0.9"})
    place = replace(PLACE, ip_label="l")
    peer = replace(container("peer"), address="172.17.0.9")
    assert original_address(box, Offer(Port(80), None), place, peer) == "172.17.0.9"
    assert original_address(box, Offer(Port(80), None), place, None) == "10.0.0.9"
