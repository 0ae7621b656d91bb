from dataclasses import replace
from typing import Any

import pytest

from registrar.mapping import Mapped, instances_of
from registrar.ports import Internal
from sidecar.catalog.model import HTTP_HOST, Check, Instance, InstanceId, Status
from sidecar.engine.facts import container_of
from tests.support.docker import PLACE, container, document

ON_8080 = {"80/tcp": "0.0.0.0:8080"}
TWO = {"80/tcp": ":8080", "81/tcp": ":8081"}


def mapped(internal: Internal = "auto", **fields: Any) -> Mapped:
    return instances_of(container(**fields), replace(PLACE, internal=internal))


def only(**fields: Any) -> Instance:
    found = mapped(**({"published": ON_8080} | fields))
    assert found.problems == ()
    (instance,) = found.instances
    return instance


def names(**fields: Any) -> list[str]:
    return [instance.service for instance in mapped(**fields).instances]


def ids(**fields: Any) -> list[str]:
    return [instance.id for instance in mapped(**fields).instances]


def test_a_plain_container_becomes_one_instance() -> None:
    assert only(env=("SERVICE_NAME=web", "SERVICE_TAGS=a,b", "SERVICE_RACK=7")) == Instance(
        id=InstanceId("vm:box:80"),
        service="web",
        node="vm",
        address="192.0.2.7",
        port=8080,
        tags=("b", "a"),
        meta={"rack": "7"},
        owner="registrar:e",
    )


def test_a_dead_container_is_nothing() -> None:
    assert mapped(published=ON_8080, Running=False) == Mapped()


def test_an_internal_port_is_at_the_container() -> None:
    instance = only(published={}, exposed=("99/tcp",))
    assert (instance.address, instance.port) == ("172.17.0.2", 99)


def test_the_ip_setting_stands_for_every_published_port() -> None:
    box = container(published={"80/tcp": "127.0.0.1:8080"})
    (instance,) = instances_of(box, replace(PLACE, ip="192.0.2.99")).instances
    assert instance.address == "192.0.2.99"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("registry:5000/ns/my-app:1.2", "my-app"),
        ("my-app", "my-app"),
        ("ns/my-app@sha256:" + "0" * 64, "my-app"),
        ("sha256:" + "0" * 64, "box"),
        ("0" * 64, "box"),
        ("", "box"),
        ("ns/..", "box"),
    ],
)
def test_the_default_name_comes_from_the_image(image: str, name: str) -> None:
    assert only(image=image).service == name


def test_a_container_without_any_name_is_known_by_its_short_id() -> None:
    instance = only(name="", image="", id_="0123456789abcdef")
    assert (instance.service, instance.id) == ("0123456789ab", "vm:0123456789ab:80")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"env": ("SERVICE_NAME=n",)}, ["n-80", "n-81"], id="grouped"),
        pytest.param({}, ["bb-80", "bb-81"], id="grouped-image-name"),
        pytest.param({"env": ("SERVICE_80_NAME=only80",)}, ["only80", "bb-81"], id="port-name"),
        pytest.param(
            {"env": ("SERVICE_80_NAME=", "SERVICE_NAME=n")}, ["n-80", "n-81"], id="empty-port-name"
        ),
        pytest.param({"env": ("SERVICE_80_IGNORE=1",)}, ["bb-81"], id="ignored-port-keeps-suffix"),
        pytest.param({"env": ("SERVICE_IGNORE=false",)}, [], id="any-text-ignores"),
        pytest.param({"env": ("SERVICE_IGNORE=",)}, ["bb-80", "bb-81"], id="empty-does-not"),
    ],
)
def test_names_of_a_group(fields: dict[str, Any], expected: list[str]) -> None:
    assert names(published=TWO, **fields) == expected


def test_tcp_and_udp_of_one_number_are_a_group_of_one_name() -> None:
    published = {"53/tcp": ":53", "53/udp": ":53"}
    assert names(published=published, env=("SERVICE_NAME=dns",)) == ["dns-53", "dns-53"]
    assert ids(published=published) == ["vm:box:53", "vm:box:53:udp"]


def test_a_udp_port_has_the_tag_udp_last() -> None:
    instance = only(published={"53/udp": ":53"}, env=("SERVICE_TAGS=a,b",))
    assert instance.tags == ("b", "a", "udp")


def test_global_tags_follow_the_containers_own() -> None:
    box = container(published=ON_8080, env=("SERVICE_TAGS=a,b",))
    (instance,) = instances_of(box, replace(PLACE, tags="x,y")).instances
    assert instance.tags == ("b", "a", "y", "x")


def test_a_tag_list_of_the_port_replaces_the_plain_one() -> None:
    assert only(env=("SERVICE_80_TAGS=p", "SERVICE_TAGS=a")).tags == ("p",)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (("SERVICE_ID=x",), ["x:80", "x:81"]),
        (("SERVICE_80_ID=x",), ["x", "vm:box:81"]),
    ],
    ids=["plain-id-gets-the-port", "id-of-one-port"],
)
def test_ids_of_a_group_stay_apart(env: tuple[str, ...], expected: list[str]) -> None:
    assert ids(published=TWO, env=env) == expected


def test_a_custom_id_is_marked_as_such() -> None:
    found = mapped(published=ON_8080, env=("SERVICE_ID=x",))
    assert found.custom == {"x"}
    assert mapped(published=ON_8080).custom == frozenset()


def test_two_ports_cannot_share_one_id() -> None:
    env = ("SERVICE_80_ID=x", "SERVICE_81_ID=x", "SERVICE_80_NAME=n", "SERVICE_81_NAME=n")
    found = mapped(published=TWO, env=env)
    assert [(i.id, i.port) for i in found.instances] == [("x", 8080)]
    assert [(p.label, p.text) for p in found.problems] == [
        ("SERVICE_81_ID", "refused: two ports have this id")
    ]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({}, Status.PASSING, id="no-healthcheck"),
        pytest.param({"Health": {"Status": "healthy"}}, Status.PASSING, id="healthy"),
        pytest.param({"Health": {"Status": "none"}}, Status.PASSING, id="none"),
        pytest.param({"Health": {"Status": "unhealthy"}}, Status.CRITICAL, id="unhealthy"),
        pytest.param({"Health": {"Status": "starting"}}, Status.CRITICAL, id="starting"),
        pytest.param(
            {"Health": {"Status": "unhealthy"}, "env": ("SERVICE_CHECK_DOCKER=False",)},
            Status.PASSING,
            id="switched-off",
        ),
        pytest.param({"Paused": True}, Status.CRITICAL, id="paused"),
        pytest.param(
            {"Paused": True, "env": ("SERVICE_CHECK_DOCKER=false",)},
            Status.CRITICAL,
            id="paused-cannot-be-switched-off",
        ),
    ],
)
def test_status(fields: dict[str, Any], status: Status) -> None:
    instance = only(**fields)
    assert instance.status is status
    assert {check.status for check in instance.checks} <= {status}


def test_a_healthcheck_stands_in_the_catalogue_as_a_check() -> None:
    (check,) = only(Health={"Status": "starting"}).checks
    assert check == Check(
        id="service:vm:box:80:docker",
        name="Docker",
        status=Status.CRITICAL,
        output="starting",
        type="docker",
    )


def test_every_other_attribute_is_meta() -> None:
    env = ("SERVICE_CHECK_HTTP=/h", "SERVICE_EMPTY=", "SERVICE_80_A=1", "SERVICE_81_B=2")
    assert only(env=env).meta == {"check_http": "/h", "empty": "", "a": "1"}


def test_the_network_attribute_chooses_the_internal_address() -> None:
    networks = {"a": "10.0.0.1", "b": "10.0.1.1"}
    fields = {"mode": "a", "networks": networks, "exposed": ("80/tcp",), "published": {}}
    assert only(**fields, env=("SERVICE_NETWORK=b",)).address == "10.0.1.1"


def test_http_hosts_become_meta_of_one_instance() -> None:
    found = mapped(published=TWO, env=("VIRTUAL_HOST=a.example", "VIRTUAL_PORT=81"))
    assert [dict(i.meta) for i in found.instances] == [{}, {HTTP_HOST: "a.example"}]


def test_a_shared_network_without_its_owner_is_refused_with_a_reason() -> None:
    found = mapped(mode="container:gone", exposed=("80/tcp",))
    assert found.instances == ()
    assert [p.text for p in found.problems] == ["port 80 has no address, not registered"]


@pytest.mark.parametrize(
    ("env", "label", "words"),
    [
        (("SERVICE_NAME=../../etc",), "SERVICE_NAME", "not registered: '../../etc' is no safe"),
        (("SERVICE_NAME=a\nb",), "SERVICE_NAME", "'ab' is no safe service name"),
        (("SERVICE_80_NAME=\ufffd",), "SERVICE_80_NAME", "is no safe service name"),
        (("SERVICE_NAME=Consul",), "SERVICE_NAME", "'Consul' is reserved"),
        ((f"SERVICE_NAME={'x' * 100_000}",), "SERVICE_NAME", "'... is no safe service name"),
    ],
    ids=["path", "newline", "unicode", "reserved", "100kB"],
)
def test_an_unsafe_name_is_refused(env: tuple[str, ...], label: str, words: str) -> None:
    found = mapped(published=ON_8080, env=env)
    (problem,) = found.problems
    assert (found.instances, problem.container, problem.label) == ((), "box", label)
    assert words in problem.text
    assert len(problem.text) < 200


def test_an_image_with_a_reserved_name_is_told_of_as_image() -> None:
    found = mapped(published=ON_8080, image="hashicorp/consul")
    assert [p.label for p in found.problems] == ["image"]


@pytest.mark.parametrize(
    ("label", "value", "meta", "words"),
    [
        ("SERVICE_a.b", "1", {"a_b": "1"}, "meta key changed to 'a_b'"),
        ("SERVICE_A", "x\ny\x1b", {"a": "xy"}, "control characters dropped"),
        ("SERVICE_A", "\ud800", {"a": "\ufffd"}, "control characters dropped"),
        ("SERVICE_A", "é" * 100_000, {"a": "é" * 256}, "value cut to 512 bytes"),
        ("SERVICE_pinnace-http-host", "evil", {}, "prefix of meta keys is reserved"),
        ("SERVICE_PINNACE-TCP-LISTEN", "1", {}, "prefix of meta keys is reserved"),
        ("SERVICE_consul-x", "1", {}, "prefix of meta keys is reserved"),
    ],
    ids=["key", "control", "surrogate", "long", "our-key", "our-key-capitals", "consul-key"],
)
def test_attributes_are_mended_or_refused(
    label: str, value: str, meta: dict[str, str], words: str
) -> None:
    found = mapped(published=ON_8080, labels={label: value})
    (instance,) = found.instances
    (problem,) = found.problems
    assert (instance.meta, problem.label) == (meta, label)
    assert words in problem.text


def test_lines_and_tabs_of_values_stay_where_the_catalogue_is_anothers() -> None:
    labels = {"SERVICE_CERT": "a\nb\tc\u2028", "SERVICE_TAGS": "x\ty,\ud800", "SERVICE_B": "\udcff"}
    found = instances_of(container(published=ON_8080, labels=labels), replace(PLACE, is_ours=False))
    (instance,) = found.instances
    assert instance.meta == {"cert": "a\nb\tc\u2028", "b": "\ufffd"}
    assert instance.tags == ("\ufffd", "x\ty")
    assert [problem.text for problem in found.problems] == ["what is no text replaced"] * 2


def test_two_keys_that_become_one_are_told() -> None:
    found = mapped(published=ON_8080, labels={"SERVICE_a.b": "1", "SERVICE_a/b": "2"})
    assert dict(found.instances[0].meta) == {"a_b": "1"}
    assert [p.text for p in found.problems][1] == "ignored: meta key 'a_b' was given twice"


def test_tags_are_bounded_and_clean() -> None:
    found = mapped(
        published=ON_8080, labels={"SERVICE_TAGS": "a\nb,\x00," + "t" * 300 + ",x" * 200}
    )
    (instance,) = found.instances
    assert len(instance.tags) == 127
    assert all(tag.isprintable() and len(tag) <= 255 for tag in instance.tags)
    assert [p.text for p in found.problems] == ["only 127 of 203 tags kept"]
    found = mapped(published=ON_8080, labels={"SERVICE_TAGS": "a\nb,\x00"})
    assert found.instances[0].tags == ("ab",)


def test_meta_and_problems_are_bounded() -> None:
    labels = {f"SERVICE_k.{number}": "v" for number in range(1000)}
    found = mapped(published=ON_8080, labels=labels)
    assert len(found.instances[0].meta) == 62
    assert len(found.problems) == 17
    assert (found.problems[-1].label, found.problems[-1].text) == ("*", "984 more problems")


def test_an_unsafe_id_gives_way_to_the_usual_one() -> None:
    found = mapped(published=ON_8080, env=("SERVICE_ID=../x",))
    assert [i.id for i in found.instances] == ["vm:box:80"]
    assert [p.label for p in found.problems] == ["SERVICE_ID"]
    assert found.custom == frozenset()


def test_a_container_name_can_put_nothing_into_an_id() -> None:
    strange = document(published=ON_8080)
    strange["Name"] = "/a/b:c\n"
    (instance,) = instances_of(container_of(strange), PLACE).instances
    assert instance.id == "vm:a_b_c_:80"
