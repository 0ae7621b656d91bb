import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsd import names
from dnsd.names import (
    Address,
    Apex,
    Empty,
    InstanceName,
    KindWord,
    Mesh,
    NodeName,
    Nothing,
    Ns,
    ServiceName,
    Subject,
    TagPrefix,
    Virtual,
)

ZONES = (names.zone_of("in.consul"), names.zone_of("consul"))


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("consul", Apex()),
        ("in.consul", Apex()),
        ("ns.consul", Ns()),
        ("x.ns.consul", Nothing()),
        ("web.service.consul", ServiceName(b"web")),
        ("web.service.dc1.consul", ServiceName(b"web")),
        ("web.service.dc1.dc.consul", ServiceName(b"web")),
        ("web.service.dc2.consul", Nothing()),
        ("web.service.dc1.x.consul", Nothing()),
        ("web.service.in.consul", ServiceName(b"web")),
        ("v1.web.service.consul", ServiceName(b"web", b"v1")),
        ("v1.2.3.web.service.consul", ServiceName(b"web", b"v1.2.3")),
        ("_web._tcp.service.consul", ServiceName(b"web")),
        ("_web._udp.service.consul", ServiceName(b"web", b"udp", lenient=True)),
        ("_web._v1.service.consul", ServiceName(b"web", b"v1")),
        ("_x.web.service.consul", ServiceName(b"web", b"_x")),
        ("_a._b._c.service.consul", ServiceName(b"_c", b"_a._b")),
        ("_web._tcp.consul", ServiceName(b"web", srv_only=True)),
        ("_web._v1.dc1.consul", ServiceName(b"web", b"v1", srv_only=True)),
        ("_web._tcp.dc1.dc.consul", ServiceName(b"web", srv_only=True)),
        ("_tcp.consul", TagPrefix(b"tcp")),
        ("_a._web._tcp.consul", Nothing()),
        ("service.service.consul", ServiceName(b"service")),
        ("node.service.consul", ServiceName(b"node")),
        ("web.service.node.consul", NodeName(b"web.service")),
        ("host.example.node.dc1.consul", NodeName(b"host.example")),
        ("service.consul", Empty()),
        ("node.consul", Empty()),
        ("addr.consul", Empty()),
        ("service.dc1.consul", Empty()),
        ("dc1.consul", Empty()),
        ("dc.consul", Empty()),
        ("dc1.dc.consul", Empty()),
        ("dc2.consul", Nothing()),
        ("web.consul", Nothing()),
        ("c0000201.addr.consul", Address(b"\xc0\0\2\1")),
        ("c0000201.addr.dc1.consul", Address(b"\xc0\0\2\1")),
        (
            "20010db8" + "0" * 23 + "1.addr.consul",
            Address(b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1"),
        ),
        ("c000020.addr.consul", Nothing()),
        ("c000020g.addr.consul", Nothing()),
        ("x.c0000201.addr.consul", Nothing()),
        ("q.query.consul", Nothing()),
        ("query.consul", Nothing()),
        ("web.connect.consul", Mesh(b"connect", b"web")),
        ("web.ingress.dc1.consul", Mesh(b"ingress", b"web")),
        ("web.virtual.consul", Virtual(b"web")),
        ("a.web.virtual.consul", Nothing()),
        ("a.web.connect.consul", Nothing()),
        ("connect.consul", KindWord(b"connect")),
        ("ingress.consul", KindWord(b"ingress")),
        ("virtual.consul", KindWord(b"virtual")),
        ("instance.consul", KindWord(b"instance")),
        ("web.instance.consul", InstanceName(b"", b"web")),
        ("i.web.x.instance.dc1.consul", InstanceName(b"i.web", b"x")),
        ("i.1.web.instance.consul", InstanceName(b"i.1", b"web")),
    ],
)
def test_a_name_means_what_the_grammar_says(name: str, subject: Subject) -> None:
    found = names.parse(tuple(name.encode().split(b".")), ZONES, b"dc1")
    assert found is not None
    assert found[1] == subject
    assert type(found[1]) is type(subject)


@pytest.mark.parametrize("label", [b"a.b", b"."])
def test_a_dot_inside_a_label_does_not_separate(label: bytes) -> None:
    for inner in ((label, b"web", b"service"), (label, b"node")):
        assert names.parse((*inner, b"consul"), ZONES, b"dc1") == (ZONES[1], Nothing())


def test_a_service_name_with_a_dot_is_one_label() -> None:
    found = names.parse((b"a.b", b"service", b"consul"), ZONES, b"dc1")
    assert found == (ZONES[1], ServiceName(b"a.b"))


def test_a_name_outside_the_zones_is_nobodys() -> None:
    assert names.parse((b"example", b"org"), ZONES, b"dc1") is None
    assert names.parse((), ZONES, b"dc1") is None


def test_the_longest_zone_wins() -> None:
    found = names.parse((b"web", b"service", b"in", b"consul"), ZONES, b"dc1")
    assert found is not None
    assert found[0] is ZONES[0]


def test_a_zone_is_folded_and_may_end_with_a_dot() -> None:
    assert names.zone_of("Consul.") == names.zone_of("consul")
    assert names.zone_of("consul").text == "consul."


def test_the_root_may_be_a_zone() -> None:
    root = names.zone_of(".")
    found = names.parse((b"web", b"service"), (root,), b"dc1")
    assert found == (root, ServiceName(b"web"))


@pytest.mark.parametrize("domain", ["a..b", "x" * 64, ".".join(["x" * 60] * 5)])
def test_a_domain_that_is_no_name_is_an_error(domain: str) -> None:
    with pytest.raises(ValueError, match="octets"):
        names.zone_of(domain)


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3).map(tuple))
def test_labels_survive_the_wire(labels: tuple[bytes, ...]) -> None:
    assert names.labels_of(names.wire_name(labels)) == labels


def test_only_ascii_letters_are_folded() -> None:
    assert names.fold("WebÄ") == "webÄ".encode()
    assert names.fold("\ud800") == b"\xed\xa0\x80"


def test_a_dot_inside_a_label_is_no_dot_between_labels() -> None:
    for kind in (b"instance", b"service", b"node"):
        found = names.parse((b"a.b", b"web", kind, b"consul"), ZONES, b"dc1")
        assert found is not None
        assert found[1] == Nothing()
