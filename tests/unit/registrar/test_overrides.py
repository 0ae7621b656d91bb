"""What a container may choose of its own name, address and port."""

from dataclasses import replace
from typing import Any

import pytest

from registrar.mapping import Mapped, instances_of
from registrar.ports import Place, place_of
from sidecar.config.model import RegistrarSettings
from sidecar.engine.facts import container_of
from tests.support.docker import PLACE, container, document

ON_8080 = {"80/tcp": "0.0.0.0:8080"}
TWO = {"80/tcp": ":8080", "81/tcp": ":8081"}
DNS = {"53/tcp": ":53", "53/udp": ":53"}
OFF = "ignored: registrar.allow_address_override is off"
FREE = place_of(
    RegistrarSettings(allow_address_override=True),
    node="vm", address="192.0.2.7", owner="o", own_ports=frozenset({8500}),
)  # fmt: skip


def mapped(*env: str, place: Place = PLACE, **fields: Any) -> Mapped:
    return instances_of(container(**({"published": ON_8080, "env": env} | fields)), place)


def at(found: Mapped) -> list[str]:
    return [f"{instance.address}:{instance.port}" for instance in found.instances]


def names(found: Mapped) -> list[str]:
    return [instance.service for instance in found.instances]


def with_bindings(*bindings: str, env: tuple[str, ...] = ()) -> dict[str, Any]:
    found = document(published=ON_8080, env=env)
    entries = [b.rpartition(":") for b in bindings]
    found["NetworkSettings"]["Ports"]["80/tcp"] = [
        {"HostIp": address, "HostPort": port} for address, _, port in entries
    ]
    return found


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ((), "127.0.0.1:1"),
        (("SERVICE_PORT=3",), "192.0.2.7:3"),
        (("SERVICE_80_PORT=2",), "10.0.0.1:2"),
        (("SERVICE_IP=10.0.0.1",), "10.0.0.1:2"),
        (("SERVICE_IP=10.0.0.1", "SERVICE_PORT=4"), "10.0.0.1:4"),
        (("SERVICE_IP=127.0.0.1", "SERVICE_PORT=1"), "127.0.0.1:1"),
    ],
)
def test_any_of_its_bindings_can_be_chosen(env: tuple[str, ...], where: str) -> None:
    found = with_bindings("127.0.0.1:1", "10.0.0.1:2", "0.0.0.0:3", "10.0.0.1:4", env=env)
    result = instances_of(container_of(found), PLACE)
    assert (at(result), result.problems) == ([where], ())


def test_a_binding_is_chosen_by_its_port_where_its_address_is_not_its_own() -> None:
    env = ("SERVICE_IP=198.51.100.9", "SERVICE_PORT=2")
    found = with_bindings("127.0.0.1:1", "10.0.0.1:2", env=env)
    result = instances_of(container_of(found), PLACE)
    assert (at(result), [p.text for p in result.problems]) == (["10.0.0.1:2"], [OFF])


def test_anything_else_is_ignored_unless_the_operator_allows_it() -> None:
    found = mapped("SERVICE_IP=198.51.100.9", "SERVICE_PORT=22")
    assert at(found) == ["192.0.2.7:8080"]
    assert [(p.label, p.text) for p in found.problems] == [
        ("SERVICE_PORT", OFF),
        ("SERVICE_IP", OFF),
    ]
    found = mapped("SERVICE_IP=198.51.100.9", "SERVICE_80_PORT=22", place=FREE)
    assert (at(found), found.problems) == (["198.51.100.9:22"], ())
    assert dict(found.instances[0].meta) == {"ip": "198.51.100.9", "port": "22"}


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1", "224.0.0.1",
        "0.0.0.0", "::", "2130706433", "0177.0.0.1", "example.org", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_some_addresses_are_refused_even_then(address: str) -> None:
    found = mapped(f"SERVICE_IP={address}", place=FREE)
    assert at(found) == ["192.0.2.7:8080"]
    assert [problem.label for problem in found.problems] == ["SERVICE_IP"]


def test_our_own_control_ports_are_refused_even_then() -> None:
    found = mapped("SERVICE_IP=192.0.2.7", "SERVICE_PORT=8500", place=FREE)
    assert "may not connect to port 8500" in found.problems[0].text


@pytest.mark.parametrize("text", ["x", "70000", "-1", "1_0"])
def test_a_port_that_is_none_is_told(text: str) -> None:
    found = mapped(f"SERVICE_PORT={text}", place=FREE)
    assert at(found) == ["192.0.2.7:8080"]
    assert "is no port from 0 to 65535" in found.problems[0].text


def test_at_its_own_address_a_container_may_name_any_port_and_any_of_its_addresses() -> None:
    networks = {"a": "10.0.0.1", "b": "10.0.1.1"}
    found = mapped(
        "SERVICE_INTERNAL=true", "SERVICE_PORT=9000", "SERVICE_IP=10.0.1.1",
        mode="a", networks=networks,
    )  # fmt: skip
    assert (at(found), found.problems) == (["10.0.1.1:9000"], ())


@pytest.mark.parametrize(
    ("internal", "env", "where"),
    [
        ("never", ("SERVICE_INTERNAL=yes",), ["172.17.0.2:80", "172.17.0.2:99"]),
        ("never", ("SERVICE_99_INTERNAL=1",), ["192.0.2.7:8080", "172.17.0.2:99"]),
        ("always", ("SERVICE_80_INTERNAL=off",), ["192.0.2.7:8080", "172.17.0.2:99"]),
        ("never", ("SERVICE_INTERNAL=perhaps",), ["192.0.2.7:8080"]),
    ],
)
def test_a_container_or_port_may_be_internal(
    internal: Any, env: tuple[str, ...], where: list[str]
) -> None:
    found = mapped(*env, exposed=("99/tcp",), place=replace(PLACE, internal=internal))
    assert at(found) == where


def test_tcp_and_udp_can_be_told_apart() -> None:
    found = mapped(
        "SERVICE_NAME=dns", "SERVICE_53_NAME=both", "SERVICE_53_UDP_NAME=quick",
        "SERVICE_53_TCP_TAGS=t", "SERVICE_53_UDP_IDLE=5", published=DNS,
    )  # fmt: skip
    assert names(found) == ["both", "quick"]
    assert [i.tags for i in found.instances] == [("t",), ("udp",)]
    assert [dict(i.meta) for i in found.instances] == [{"udp_idle": "5"}, {"udp_idle": "5"}]
    compat = replace(PLACE, compat=True)
    found = mapped("SERVICE_53_UDP_NAME=quick", published=DNS, place=compat)
    assert dict(found.instances[0].meta) == {"udp_name": "quick"}


def test_a_port_may_have_several_services() -> None:
    found = mapped("SERVICE_NAME=web", "SERVICE_NAMES=admin,web,api", "SERVICE_TAGS=a")
    assert [(i.service, i.id, i.tags) for i in found.instances] == [
        ("web", "vm:box:80", ("a",)),
        ("admin", "vm:box:80:admin", ("a",)),
        ("api", "vm:box:80:api", ("a",)),
    ]
    assert names(mapped("SERVICE_NAMES=x", published=TWO)) == ["bb-80", "x-80", "bb-81", "x-81"]
    assert names(mapped("SERVICE_80_NAMES=x", published=TWO)) == ["bb-80", "x", "bb-81"]
    refused = mapped("SERVICE_NAMES=consul,a b")
    assert (names(refused), len(refused.problems)) == (["bb"], 2)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"env": ("SERVICE_NAME=w", "SERVICE_PORT=0")}, ["192.0.2.7:0"]),
        ({"env": ("SERVICE_NAME=w", "SERVICE_PORT=90")}, ["172.17.0.2:90"]),
        ({"env": ("SERVICE_NAME=w", "SERVICE_PORT=90"), "mode": "host"}, ["192.0.2.7:90"]),
        ({"env": ("SERVICE_NAME=w", "SERVICE_PORT=90"), "mode": "none"}, []),
        ({"env": ("SERVICE_NAME=w",)}, []),
        ({"env": ("SERVICE_PORT=90",)}, []),
        ({"env": ("SERVICE_NAME=w", "SERVICE_PORT=x")}, []),
    ],
)
def test_a_container_without_ports_may_still_be_a_service(
    fields: dict[str, Any], where: list[str]
) -> None:
    found = mapped(published={}, **fields)
    assert at(found) == where
    assert [i.id for i in found.instances] == [f"vm:box:{w.rpartition(':')[2]}" for w in where]
    compat = mapped(published={}, place=replace(PLACE, compat=True), **fields)
    assert compat.instances == ()
    assert compat.ignored == ("no published ports",)


@pytest.mark.parametrize(
    ("place", "env", "expected"),
    [
        ({"name_suffix": "never"}, ("SERVICE_NAME=n",), ["n", "n"]),
        ({"name_suffix": "always"}, ("SERVICE_80_NAME=n",), ["n", "bb-81"]),
        ({"prefix": "p-"}, ("SERVICE_80_NAME=n",), ["p-n", "p-bb-81"]),
        ({"explicit": True}, ("SERVICE_80_NAME=n",), ["n"]),
        ({"explicit": True}, ("SERVICE_NAME=",), []),
    ],
)
def test_names_follow_the_settings(
    place: dict[str, Any], env: tuple[str, ...], expected: list[str]
) -> None:
    assert names(mapped(*env, published=TWO, place=replace(PLACE, **place))) == expected


def test_always_adds_the_port_of_a_single_one_too() -> None:
    assert names(mapped(place=replace(PLACE, name_suffix="always"))) == ["bb-80"]


def test_a_ports_tags_may_be_added_to_the_plain_ones() -> None:
    place = replace(PLACE, merge_tags=True)
    found = mapped("SERVICE_80_TAGS=p,q", "SERVICE_TAGS=a", published=TWO, place=place)
    assert [i.tags for i in found.instances] == [("q", "p", "a"), ("a",)]


@pytest.mark.parametrize(
    ("label", "address", "problems"),
    [
        ("10.1.2.3/24", "10.1.2.3", 0),
        ("10.1.2.3", "10.1.2.3", 0),
        ("", "192.0.2.7", 0),
        ("10.1.2.3/24/1", "192.0.2.7", 1),
        ("evil.example", "192.0.2.7", 1),
    ],
)
def test_the_operators_label_holds_the_address(label: str, address: str, problems: int) -> None:
    found = mapped(labels={"net.ip": label}, place=replace(PLACE, ip_label="net.ip"))
    assert [i.address for i in found.instances] == [address]
    assert len(found.problems) == problems


def test_what_is_not_registered_is_said_in_registrators_words() -> None:
    env = ("SERVICE_80_IGNORE=1",)
    place = replace(PLACE, internal="never")
    assert mapped(*env, exposed=("99/tcp",), place=place).ignored == (
        "service on port 80",
        "port 99 not published on host",
    )
    assert mapped(published={}).ignored == ("no published ports",)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("my service", True), ("a/b", True), ("consul", True), ("na\u00efve", True),
        ("../etc", False), ("a//b", False), ("x\ny", False), ("n" * 256, False), ("/a", False),
    ],
)  # fmt: skip
def test_catalogues_of_others_take_more_names_but_no_paths(name: str, taken: bool) -> None:
    found = mapped(f"SERVICE_NAME={name}", place=replace(PLACE, is_ours=False))
    assert names(found) == [name] * taken
    compat = replace(PLACE, is_ours=False, compat=True)
    assert names(mapped(f"SERVICE_NAME={name}", place=compat)) == [name]


def test_our_own_catalogue_is_strict_in_compat_too() -> None:
    ours = replace(PLACE, compat=True)
    found = mapped("SERVICE_NAME=a/b", "SERVICE_ID=../x", place=ours)
    assert found.instances == ()
    found = mapped("SERVICE_ID=../x", "SERVICE_A=b\nc", place=ours)
    assert [(i.id, dict(i.meta)) for i in found.instances] == [("vm:box:80", {"a": "bc"})]
