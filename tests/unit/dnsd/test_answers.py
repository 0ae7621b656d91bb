from dataclasses import replace

import pytest
from dnslib import QTYPE, RCODE

from sidecar.catalog.changes import Drop, Put
from sidecar.catalog.model import CANARY, CANARY_MATCH, Check, InstanceId, Status
from tests.support.asker import Asker, instance, node, opt, texts

CHANGES = (
    node(),
    node("a.example", "2001:db8::a"),
    node("alias", "web.service.consul"),
    instance("web", 1, tags=("Blue", "v1.2")),
    instance("web", 2, tags=("blue",)),
    instance("web", 3, tags=("red",), status=Status.CRITICAL),
    instance("web", 4, tags=("red",), draining=True),
    instance("six", 1, address="2001:db8::1", tags=("udp",)),
    instance("onnode", 1, address=""),
    instance("gone", 1, status=Status.CRITICAL, tags=("only.gone",)),
    instance("Odd_Name", 1, address="10.9.9.9"),
    instance("odd_name", 2, address="10.9.9.8"),
    instance("dot.ted", 1, address="10.9.9.7"),
    instance("x" * 64, 1),
    instance("out", 1, address="www.example.org"),
    instance("inside", 1, address="web.service.consul"),
    instance("loop", 1, address="loop.service.consul"),
    instance("bad", 1, address="not..a name"),
    instance("lost", 1, address="", node="unknown"),
    instance("number", 1, address="300.1.2.3"),
    instance("zone", 1, address="fe80::1%eth0"),
)

WEB = "A 10.0.0.1 A 10.0.0.2"


@pytest.fixture(scope="module")
def asker() -> Asker:
    return Asker(*CHANGES)


@pytest.mark.parametrize(
    ("name", "qtype", "verdict"),
    [
        ("web.service.consul", "A", WEB),
        ("WEB.Service.CONSUL", "A", WEB),
        ("web.service.pinnace", "A", WEB),
        ("web.service.dc1.consul", "A", WEB),
        ("web.service.dc2.consul", "A", "NXDOMAIN"),
        ("web.service.consul", "AAAA", "NODATA"),
        ("web.service.consul", "TXT", "NODATA"),
        ("web.service.consul", "HTTPS", "NODATA"),
        ("web.service.consul", 0, "NODATA"),
        ("web.service.consul", 65280, "NODATA"),
        ("web.service.consul", "SOA", "NODATA"),
        ("web.service.consul", "NS", "NODATA"),
        ("blue.web.service.consul", "A", WEB),
        ("v1.2.web.service.consul", "A", "A 10.0.0.1"),
        ("2.web.service.consul", "A", "NODATA"),
        ("1.2.web.service.consul", "A", "NXDOMAIN"),
        ("red.web.service.consul", "A", "NXDOMAIN"),
        ("gone.service.consul", "A", "NXDOMAIN"),
        ("gone.gone.service.consul", "A", "NXDOMAIN"),
        ("nope.service.consul", "A", "NXDOMAIN"),
        ("_web._tcp.service.consul", "A", WEB),
        ("_web._blue.service.consul", "A", WEB),
        ("_web._udp.service.consul", "A", WEB),
        ("_six._udp.service.consul", "AAAA", "AAAA 2001:db8::1"),
        ("_web._tcp.consul", "A", "NODATA"),
        ("_web._nope.consul", "SRV", "NXDOMAIN"),
        ("_tcp.service.consul", "A", "NODATA"),
        ("_udp.consul", "SRV", "NODATA"),
        ("_blue.service.consul", "A", "NODATA"),
        ("_blue.consul", "A", "NODATA"),
        ("_red.service.consul", "A", "NXDOMAIN"),
        ("_.service.consul", "A", "NXDOMAIN"),
        ("service.consul", "A", "NODATA"),
        ("node.consul", "A", "NODATA"),
        ("addr.consul", "A", "NODATA"),
        ("dc1.consul", "A", "NODATA"),
        ("service.dc1.consul", "A", "NODATA"),
        ("query.consul", "A", "NXDOMAIN"),
        ("odd_name.service.consul", "A", "A 10.9.9.8 A 10.9.9.9"),
        ("onnode.service.consul", "A", "A 192.0.2.1"),
        ("bad.service.consul", "A", "NODATA"),
        ("bad.service.consul", "SRV", "NODATA"),
        ("lost.service.consul", "A", "NODATA"),
        ("number.service.consul", "A", "NODATA"),
        ("zone.service.consul", "AAAA", "NODATA"),
        ("out.service.consul", "A", "CNAME www.example.org."),
        ("out.service.consul", "TXT", "NODATA"),
        ("inside.service.consul", "A", WEB + " CNAME web.service.consul."),
        ("inside.service.consul", "AAAA", "CNAME web.service.consul."),
        ("loop.service.consul", "A", "CNAME loop.service.consul."),
        ("alias.node.consul", "A", WEB + " CNAME web.service.consul."),
        ("node-1.node.consul", "A", "A 192.0.2.1"),
        ("NODE-1.node.dc1.consul", "A", "A 192.0.2.1"),
        ("node-1.node.consul", "AAAA", "NODATA"),
        ("a.example.node.consul", "AAAA", "AAAA 2001:db8::a"),
        ("example.node.consul", "A", "NODATA"),
        ("xample.node.consul", "A", "NXDOMAIN"),
        ("c0000201.addr.consul", "A", "A 192.0.2.1"),
        ("c0000201.addr.consul", "AAAA", "NODATA"),
        ("c000020x.addr.consul", "A", "NXDOMAIN"),
        ("ns.consul", "A", "A 127.0.0.1"),
        ("consul", "NS", "NS node-1.node.dc1.consul."),
        ("consul", "A", "NODATA"),
        ("example.org", "A", "REFUSED"),
        ("web.service.consul", "AXFR", "FORMERR"),
        ("web.service.consul", "IXFR", "REFUSED"),
        ("web.service.consul", "OPT", "FORMERR"),
        ("web.service.consul", "TSIG", "NOTIMP"),
        ("web.service.consul", "TKEY", "NOTIMP"),
        ("web.service.consul", "MAILA", "NOTIMP"),
        ("web.service.consul", "MAILB", "NOTIMP"),
        ("web.service.consul", "ANY", WEB),
    ],
)
def test_a_question_gets_its_verdict(
    asker: Asker, name: str, qtype: str | int, verdict: str
) -> None:
    assert asker.verdict(name, qtype) == verdict


@pytest.mark.parametrize(
    ("qclass", "qtype", "verdict"),
    [(255, "ANY", WEB), (255, "A", "REFUSED"), (3, "A", "REFUSED"), (0, "A", "REFUSED")],
)
def test_only_the_internet_class_is_served(
    asker: Asker, qclass: int, qtype: str, verdict: str
) -> None:
    assert asker.verdict("web.service.consul", qtype, qclass=qclass) == verdict


def test_a_transfer_is_refused_over_tcp(asker: Asker) -> None:
    assert asker.verdict("consul", "AXFR", tcp=True) == "REFUSED"


def test_any_without_addresses_is_the_smallest_thing(asker: Asker) -> None:
    reply = asker.ask("six.service.consul", "ANY")
    assert [record.rtype for record in reply.rr] == [13]


@pytest.mark.parametrize(
    "name", ["nope.service.consul", "service.consul", "red.web.service.consul"]
)
def test_every_negative_answer_has_the_soa(asker: Asker, name: str) -> None:
    reply = asker.ask(name)
    assert [(r.rtype, r.ttl, r.rname.label) for r in reply.auth] == [(6, 0, (b"consul",))]
    assert reply.header.aa == 1


def test_srv_has_hex_targets_and_their_addresses_once() -> None:
    asker = Asker(
        instance("web", 1, port=80),
        instance("web", 2, port=81, address="10.0.0.1"),
        instance("web", 3, port=80, address="10.0.0.1", tags=("same target and port",)),
        instance("web", 4, port=443, address="2001:db8::1", weight=70000),
        instance("web", 5, port=70000),
    )
    reply = asker.ask("web.service.pinnace", "SRV")
    six = "20010db8000000000000000000000001"
    assert texts(reply.rr) == [
        "SRV 1 1 80 0a000001.addr.dc1.pinnace.",
        "SRV 1 1 81 0a000001.addr.dc1.pinnace.",
        f"SRV 1 65535 443 {six}.addr.dc1.pinnace.",
    ]
    assert texts(reply.ar) == ["A 10.0.0.1", "AAAA 2001:db8::1"]
    for record in reply.ar:
        name = b".".join(record.rname.label).decode()
        kind = "A" if record.rtype == 1 else "AAAA"
        assert asker.verdict(name, kind) == f"{kind} {record.rdata}"


def test_an_instance_without_address_is_targeted_by_its_node(asker: Asker) -> None:
    reply = asker.ask("onnode.service.consul", "SRV")
    assert texts(reply.rr) == ["SRV 1 1 80 node-1.node.dc1.consul."]
    assert texts(reply.ar) == ["A 192.0.2.1"]


def test_a_node_whose_name_is_no_name_is_targeted_by_address() -> None:
    asker = Asker(node("a..b", "192.0.2.7"), instance("web", 1, address="", node="a..b"))
    assert asker.verdict("web.service.consul", "SRV") == "SRV 1 1 80 c0000207.addr.dc1.consul."


def test_an_address_that_is_a_name_is_its_own_target(asker: Asker) -> None:
    reply = asker.ask("out.service.consul", "SRV")
    assert texts(reply.rr) == ["SRV 1 1 80 www.example.org."]
    assert reply.ar == []


def test_the_srv_form_without_the_word_service_is_answered(asker: Asker) -> None:
    assert len(asker.ask("_web._tcp.consul", "SRV").rr) == 2


def test_a_service_whose_name_is_no_label_harms_no_other(asker: Asker) -> None:
    assert asker.responder.replies().view.unnamed == 1
    assert asker.verdict("web.service.consul") == WEB


def test_the_apex_has_soa_with_name_server_and_glue(asker: Asker) -> None:
    reply = asker.ask("consul", "SOA")
    assert texts(reply.rr) == ["SOA ns.consul. hostmaster.consul. 100 3600 600 86400 0"]
    assert texts(reply.auth) == ["NS node-1.node.dc1.consul."]
    assert texts(reply.ar) == ["A 192.0.2.1"]


def test_a_server_whose_node_is_unknown_is_named_ns() -> None:
    asker = Asker()
    assert asker.verdict("consul", "NS") == "NS ns.consul."
    assert texts(asker.ask("consul", "NS").ar) == ["A 127.0.0.1"]


def test_a_server_on_every_address_is_found_by_its_node() -> None:
    assert Asker(node(), addresses=()).verdict("ns.consul") == "A 192.0.2.1"
    assert Asker(addresses=()).verdict("ns.consul") == "NODATA"


def test_the_serial_moves_with_the_catalogue_only() -> None:
    asker = Asker()
    before = asker.verdict("consul", "SOA")
    assert asker.verdict("consul", "SOA") == before
    asker.catalog.commit([instance()])
    assert asker.verdict("consul", "SOA") == before.replace(" 100 ", " 101 ")


def test_before_the_catalogue_is_read_nothing_is_called_absent() -> None:
    asker = Asker(instance(), synced=False)
    assert asker.verdict("web.service.consul") == "A 10.0.0.1"
    assert asker.verdict("nope.service.consul") == "SERVFAIL"
    reply = asker.send(b"\0\1\1\0\0\1\0\0\0\0\0\1\1x\6consul\0\0\1\0\1" + opt())
    assert reply is not None
    assert reply.endswith(b"\0\x0f\0\2\0\x0e")  # EDE 14
    asker.catalog.mark_synced()
    assert asker.verdict("nope.service.consul") == "NXDOMAIN"


def test_a_refusal_says_why_to_those_who_know_edns() -> None:
    reply = Asker().ask("example.org", extra=opt())
    assert RCODE[reply.header.rcode] == "REFUSED"
    assert reply.header.aa == 0
    assert [(o.code, o.data) for o in reply.ar[0].rdata] == [(15, b"\0\x14")]


def test_only_passing_leaves_out_warnings() -> None:
    changes = instance(), instance(number=2, status=Status.WARNING)
    assert Asker(*changes).verdict("web.service.consul") == WEB
    assert Asker(*changes, only_passing=True).verdict("web.service.consul") == "A 10.0.0.1"


def test_a_warning_instance_has_its_own_weight() -> None:
    weak = replace(instance(status=Status.WARNING, weight=10).instance, warning_weight=3)
    verdict = Asker(Put(weak)).verdict("web.service.consul", "SRV")
    assert verdict == "SRV 1 3 80 0a000001.addr.dc1.consul."


def test_canaries_have_the_weights_that_the_load_balancer_gives_them() -> None:
    def srv(*metas: dict[str, str]) -> list[int]:
        found = [replace(instance(number=n).instance, meta=meta) for n, meta in enumerate(metas, 1)]
        reply = Asker(*map(Put, found)).ask("web.service.consul", "SRV")
        return [int(str(record.rdata).split()[1]) for record in reply.rr]

    assert sorted(srv({}, {}, {CANARY: "20"})) == [1, 2, 2]
    assert sorted(srv({}, {}, {CANARY: "0", CANARY_MATCH: "header:X=1"})) == [1, 1]
    assert sorted(srv({}, {CANARY_MATCH: "header:X=1"})) == [1]
    assert sorted(srv({}, {CANARY: "100"}, {CANARY: "100"})) == [1, 1]
    assert srv({CANARY: "0"}) == [1]  # there is nobody else
    assert sorted(srv({}, {CANARY: "many"})) == [1, 1]
    stable, canary = instance(), replace(instance(number=2).instance, meta={CANARY: "0"})
    assert Asker(stable, Put(canary)).verdict("web.service.consul") == "A 10.0.0.1"


def test_the_ttl_is_the_one_set() -> None:
    asker = Asker(instance(), ttl=30)
    for kind in ("A", "SRV"):
        reply = asker.ask("web.service.consul", kind)
        assert {record.ttl for record in [*reply.rr, *reply.ar]} == {30}


@pytest.mark.parametrize(
    ("definition", "ttl"),
    [
        ('{"TTL":"12s"}', 12), ('{"TTL":2500000000}', 2), ('{"TTL":"300ms"}', 1),
        ('{"TTL":"1h"}', 30), ('{"TTL":"soon"}', 30), ('{"TTL":null}', 30), ('{"TTL', 30),
        ('{"HTTP":"http://10.0.0.1/","Interval":"5s"}', 30), ('["TTL"]', 30), ("", 30),
    ],
)  # fmt: skip
def test_nobody_keeps_an_answer_longer_than_an_instance_may_be_silent(
    definition: str, ttl: int
) -> None:
    check = Check(id="ttl", name="ttl", status=Status.PASSING, definition=definition)
    fed = replace(instance(number=2).instance, checks=(check,))
    asker = Asker(instance(), Put(fed), ttl=30)
    for kind in ("A", "SRV"):
        assert {record.ttl for record in asker.ask("web.service.consul", kind).rr} == {ttl}
    assert {r.ttl for r in Asker(Put(fed)).ask("web.service.consul").rr} == {0}


def test_a_long_chain_of_names_is_cut() -> None:
    links = [instance(f"s{n}", 1, address=f"s{n + 1}.service.consul") for n in range(12)]
    assert len(Asker(*links).ask("s0.service.consul").rr) == 8


def test_a_view_shares_what_did_not_change() -> None:
    asker = Asker(instance(tags=("a",)), instance("db"), node())
    asker.ask("_a.consul")
    asker.ask("web.service.consul")
    asker.ask("node-1.node.consul")
    first = asker.responder.replies().view
    asker.catalog.commit([instance(number=2)])
    second = asker.responder.replies().view
    assert second is not first
    assert second.services is first.services
    assert second.nodes is first.nodes
    assert asker.verdict("_a.consul") == "NODATA"
    asker.catalog.commit([Drop("db", InstanceId("db-1"))])
    assert asker.responder.replies().view.services is not first.services


@pytest.mark.parametrize(
    ("name", "qtype", "code"),
    [
        ("inside.service.consul", "AAAA", "NOERROR"),
        ("astray.service.consul", "A", "NXDOMAIN"),
        ("further.service.consul", "A", "NXDOMAIN"),
    ],
)
def test_an_alias_of_what_is_not_there_says_so_with_the_soa(
    name: str, qtype: str, code: str
) -> None:
    asker = Asker(
        instance("web"),
        instance("inside", address="web.service.consul"),
        instance("astray", address="nix.service.consul"),
        instance("further", address="astray.service.consul"),
    )
    for serial in (101, 102):
        asker.catalog.commit([instance("web", serial)])
        reply = asker.ask(name, qtype)
        assert RCODE[reply.header.rcode] == code
        assert {QTYPE[record.rtype] for record in reply.rr} == {"CNAME"}
        assert [str(record.rname) for record in reply.auth] == ["consul."]
        assert reply.auth[0].rdata.times[0] == serial


def test_an_alias_of_what_is_not_known_yet_is_not_denied() -> None:
    asker = Asker(instance("astray", address="nix.service.consul"), synced=False)
    assert asker.verdict("astray.service.consul") == "SERVFAIL"


def test_an_ipv4_address_in_the_form_of_ipv6_is_what_it_means() -> None:
    """As with Consul; no AAAA record leads to such a host on a network without IPv6."""
    asker = Asker(instance("web", address="::ffff:10.0.0.60"))
    assert asker.verdict("web.service.consul") == "A 10.0.0.60"
    assert asker.verdict("web.service.consul", "AAAA") == "NODATA"
    assert asker.verdict("web.service.consul", "SRV") == "SRV 1 1 80 0a00003c.addr.dc1.consul."
    assert asker.verdict("60.0.0.10.in-addr.arpa", "PTR") == "PTR web.service.dc1.consul."


def test_the_name_of_a_server_without_a_known_address_leads_where_others_reach_it() -> None:
    outward = b"\xc0\0\2\7"
    asker = Asker(addresses=(), outward=(outward,))
    assert asker.verdict("ns.consul") == "A 192.0.2.7"
    assert [str(r.rdata) for r in asker.ask("consul", "NS").ar] == ["192.0.2.7"]
    known = Asker(node("node-1", "192.0.2.1"), addresses=(), outward=(outward,))
    assert known.verdict("ns.consul") == "A 192.0.2.1"


def test_a_target_of_our_own_has_all_its_addresses_beside_it_once() -> None:
    asker = Asker(
        *(instance("web", n) for n in (1, 2, 3)),
        instance("web", 4, address="2001:db8::4"),
        instance("inside", 1, address="web.service.consul", port=1),
        instance("inside", 2, address="web.service.consul", port=2),
        instance("inside", 3, address="10.0.0.9"),
        instance("out", 1, address="www.example.org"),
        instance("alias", 1, address="inside.service.consul"),
        instance("astray", 1, address="nix.service.consul"),
    )
    for _ in range(8):
        reply = asker.ask("inside.service.consul", "SRV")
        assert texts(reply.rr) == [
            "SRV 1 1 1 web.service.consul.",
            "SRV 1 1 2 web.service.consul.",
            "SRV 1 1 80 0a000009.addr.dc1.consul.",
        ]
        assert sorted(f"{record.rname} {record.rdata}" for record in reply.ar) == [
            "0a000009.addr.dc1.consul. 10.0.0.9",
            "web.service.consul. 10.0.0.1",
            "web.service.consul. 10.0.0.2",
            "web.service.consul. 10.0.0.3",
            "web.service.consul. 2001:db8::4",
        ]
    assert texts(asker.ask("alias.service.consul", "SRV").ar) == ["A 10.0.0.9"]
    for name in ("out", "astray"):
        assert asker.ask(f"{name}.service.consul", "SRV").ar == []
    asker.catalog.commit([Drop("web", InstanceId("web-2"))])
    reply = asker.ask("inside.service.consul", "SRV")
    assert "A 10.0.0.2" not in texts(reply.ar)
    assert len(reply.ar) == 4
