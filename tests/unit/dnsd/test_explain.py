import pytest

from dnsd.explain import explain
from dnsd.names import zone_of
from sidecar.catalog.model import Status
from tests.support.asker import TYPES, Asker, instance, node, wire


def explained(asker: Asker, name: str, kind: str = "A") -> tuple[list[str], list[str]]:
    replies = asker.responder.replies()
    why = explain(replies.view, asker.site, wire(name), TYPES[kind])
    return [i.id for i in why.named], [f"{out.instance.id} {out.reason}" for out in why.left_out]


def asked(asker: Asker, name: str) -> str:
    return explain(asker.responder.replies().view, asker.site, wire(name), 1).asked


CHANGES = (
    node(),
    instance("web", 1, tags=("blue",)),
    instance("web", 2, status=Status.CRITICAL),
    instance("web", 3, draining=True, status=Status.CRITICAL),
    instance("web", 4, address="2001:db8::1"),
    instance("web", 5, address="no name at all"),
    instance("web", 6, port=70000, status=Status.WARNING),
)


def test_each_instance_is_named_or_has_a_reason() -> None:
    named, left_out = explained(Asker(*CHANGES), "web.service.consul")
    assert named == ["web-1", "web-6"]
    assert left_out == [
        "web-2 critical",
        "web-3 draining",
        "web-4 2001:db8::1 is no A address",
        "web-5 its address is neither an IP address nor a name: 'no name at all'",
    ]


def test_a_port_matters_to_srv_only() -> None:
    assert (
        "web-6 port 70000 is no port" in explained(Asker(*CHANGES), "web.service.consul", "SRV")[1]
    )


def test_a_warning_counts_when_the_site_says_so() -> None:
    left_out = explained(Asker(*CHANGES, only_passing=True), "web.service.consul")[1]
    assert "web-6 warning, and only_passing is set" in left_out


def test_a_tag_leaves_out_who_lacks_it() -> None:
    named, left_out = explained(Asker(*CHANGES), "blue.web.service.consul")
    assert named == ["web-1"]
    assert "web-6 has no tag blue" in left_out
    assert explained(Asker(*CHANGES), "_web._udp.service.consul")[0] == ["web-1", "web-6"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("example.org", "a name in no zone that is served here"),
        ("web.service.consul", "service web"),
        ("v1.web.service.consul", "service web, tag v1"),
        ("n.node.consul", "node n"),
        ("7f000001.addr.consul", "an address spelled in hex"),
        ("consul", "the zone itself"),
        ("ns.consul", "this server"),
        ("i.web.instance.consul", "instance i of service web"),
        ("web.virtual.consul", "the virtual address of service web"),
        ("web.connect.consul", "what takes connect connections for service web"),
        ("1.0.0.10.in-addr.arpa", "the names of an address"),
        ("web.sky.local", "all that stands at or below a SkyDNS path"),
        ("x.consul", "no name of this grammar"),
        ("service.consul", "a name that only stands above others"),
    ],
)
def test_a_name_is_told_in_words(name: str, words: str) -> None:
    assert asked(Asker(*CHANGES, sky_zone=zone_of("sky.local")), name) == words


def test_an_instance_is_told_from_others_by_its_id() -> None:
    named, left_out = explained(Asker(*CHANGES), "web-1.web.instance.consul")
    assert named == ["web-1"]
    assert "web-6 has another id" in left_out
    assert explained(Asker(*CHANGES), "web.virtual.consul")[0] == ["web-1", "web-6"]
