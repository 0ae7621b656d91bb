"""Every kind of name and record beside addresses and SRV."""

from typing import Any

import pytest
from dnslib import RCODE

from sidecar.catalog.model import Status
from tests.support.asker import Asker, instance, node, texts

META = {"version": "1.2", "a=b`c": "d", "rfc1035-note": "bare", "long": "x" * 300}


def txt(asker: Asker, name: str) -> list[bytes]:
    reply = asker.ask(name, "TXT")
    return sorted(b"|".join(record.rdata.data) for record in reply.rr)


# --- reverse names ---------------------------------------------------------------------------

PLACES = (
    node("a", "10.1.2.3"),
    node("b", "10.1.2.3"),
    node("six", "2001:db8::1"),
    node("public", "8.8.4.4"),
    instance("web", 1, address="10.9.9.9"),
    instance("web", 2, address="10.9.9.9", port=81),
    instance("api", 1, address="10.9.9.9", status=Status.CRITICAL),
    instance("hidden", 1, address="10.1.2.3"),
    instance("x" * 64, 1, address="10.9.9.9"),
)
SIX = "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa"


@pytest.mark.parametrize(
    ("name", "kind", "verdict"),
    [
        ("3.2.1.10.in-addr.arpa", "PTR", "PTR a.node.dc1.consul. PTR b.node.dc1.consul."),
        ("3.2.1.10.IN-ADDR.arpa", "ANY", "PTR a.node.dc1.consul. PTR b.node.dc1.consul."),
        (
            "9.9.9.10.in-addr.arpa",
            "PTR",
            "PTR api.service.dc1.consul. PTR web.service.dc1.consul.",
        ),
        (SIX, "PTR", "PTR six.node.dc1.consul."),
        ("4.4.8.8.in-addr.arpa", "PTR", "PTR public.node.dc1.consul."),
        ("4.4.8.8.in-addr.arpa", "A", "NODATA"),
        ("8.8.in-addr.arpa", "PTR", "NODATA"),
        ("5.4.8.8.in-addr.arpa", "PTR", "REFUSED"),
        ("in-addr.arpa", "PTR", "NODATA"),
        ("3.2.1.10.in-addr.arpa", "A", "NODATA"),
        ("2.1.10.in-addr.arpa", "PTR", "NODATA"),
        ("10.in-addr.arpa", "PTR", "NODATA"),
        ("4.2.1.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("0.16.172.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("0.64.100.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("0.32.172.in-addr.arpa", "PTR", "REFUSED"),
        ("1.3.2.1.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("03.2.1.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("256.2.1.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "NODATA"),
        ("b.d.0.1.0.0.2.ip6.arpa", "PTR", "NODATA"),
        ("c.d.0.1.0.0.2.ip6.arpa", "PTR", "REFUSED"),
        ("1.8.e.f.ip6.arpa", "PTR", "NXDOMAIN"),
        ("x.d.f.ip6.arpa", "PTR", "NXDOMAIN"),
        ("10.d.f.ip6.arpa", "PTR", "NXDOMAIN"),
    ],
)
def test_an_address_has_the_names_of_its_nodes_else_of_its_services(
    name: str, kind: str, verdict: str
) -> None:
    assert Asker(*PLACES).verdict(name, kind) == verdict


def test_a_local_reverse_zone_says_how_long_nothing_is_there() -> None:
    reply = Asker(*PLACES).ask("4.2.1.10.in-addr.arpa", "PTR")
    (soa,) = reply.auth
    assert b".".join(soa.rname.label) == b"10.in-addr.arpa"
    assert str(soa.rdata.mname) == "ns.consul."
    reply = Asker(*PLACES).ask("1.1.254.169.in-addr.arpa", "PTR")
    assert b".".join(reply.auth[0].rname.label) == b"254.169.in-addr.arpa"


def test_part_of_an_address_is_looked_up_among_all() -> None:
    asker = Asker(*PLACES, node("odd", "no address"))
    verdicts = [asker.verdict(f"{n}.10.in-addr.arpa", "PTR") for n in (0, 1, 2, 9, 10)]
    assert verdicts == ["NXDOMAIN", "NODATA", "NXDOMAIN", "NODATA", "NXDOMAIN"]


def test_reverse_names_follow_the_catalogue() -> None:
    asker = Asker(*PLACES)
    assert asker.verdict("4.2.1.10.in-addr.arpa", "PTR") == "NXDOMAIN"
    asker.catalog.commit([instance("new", 1, address="10.1.2.4")])
    assert asker.verdict("4.2.1.10.in-addr.arpa", "PTR") == "PTR new.service.dc1.consul."
    asker.catalog.commit([node("n", "10.1.2.4")])
    assert asker.verdict("4.2.1.10.in-addr.arpa", "PTR") == "PTR n.node.dc1.consul."


# --- TXT -------------------------------------------------------------------------------------


def test_a_nodes_metadata_are_its_text_records() -> None:
    asker = Asker(node("n", "10.0.0.1", **META))
    assert txt(asker, "n.node.consul") == [
        b"a`=b``c=d",
        b"bare",
        b"long=" + b"x" * 250 + b"|" + b"x" * 50,
        b"version=1.2",
    ]
    assert Asker(node("n")).verdict("n.node.consul", "TXT") == "NODATA"


def test_a_service_has_text_records_only_when_asked_to() -> None:
    changes = (instance(meta={"k": "v"}), instance(number=2, meta={"k": "v", "l": "w"}))
    assert Asker(*changes).verdict("web.service.consul", "TXT") == "NODATA"
    assert txt(Asker(*changes, service_meta=True), "web.service.consul") == [b"k=v", b"l=w"]
    assert Asker(instance(), service_meta=True).verdict("web.service.consul", "TXT") == "NODATA"


def test_a_value_too_long_for_a_record_is_left_out() -> None:
    asker = Asker(node("n", "10.0.0.1", big="x" * 65400, k="v"))
    assert txt(asker, "n.node.consul") == [b"k=v"]


def test_srv_brings_the_metadata_of_nodes_along_while_there_is_room() -> None:
    def extra(*, room: bool = True, **site: bool) -> list[int]:
        asker = Asker(
            node("node-1", "10.0.0.9", k="v" * (10 if room else 600)),
            instance(number=1),
            instance(number=2),
            **site,
        )
        reply = asker.ask("web.service.consul", "SRV")
        assert reply.header.tc == 0
        return [record.rtype for record in reply.ar]

    assert extra() == [1, 1, 16]
    assert extra(node_meta=False) == [1, 1]
    assert extra(room=False) == [1, 1]


def test_metadata_stand_under_the_nodes_name() -> None:
    asker = Asker(node("node-1", "10.0.0.9", k="v"), instance(number=1), instance(number=2))
    for name in ("web.service.consul", "web.service.pinnace"):
        last = asker.ask(name, "SRV").ar[-1]
        assert b".".join(last.rname.label).decode() == f"node-1.node.dc1.{name.split('.')[-1]}"


# --- HTTPS and SVCB --------------------------------------------------------------------------


def test_https_records_say_protocols_port_and_address() -> None:
    asker = Asker(instance(meta={"alpn": "h2, h3"}, port=8443), instance("six", address="::1"))
    reply = asker.ask("web.service.consul", "HTTPS")
    assert texts(reply.rr) == [
        "HTTPS 1 0a000001.addr.dc1.consul. alpn=h2,h3 port=8443 ipv4hint=10.0.0.1"
    ]
    assert texts(reply.ar) == ["A 10.0.0.1"]
    assert asker.verdict("six.service.consul", "HTTPS") == "NODATA"


def test_all_services_have_them_when_told_so() -> None:
    asker = Asker(instance(port=81), instance("six", address="2001:db8::1"), svcb=True)
    for name in ("web.service.consul", "six.service.consul"):
        for kind in ("HTTPS", "SVCB"):
            assert len(asker.ask(name, kind).rr) == 1


# --- one instance, a virtual address, the mesh -----------------------------------------------


def test_an_instance_is_found_by_its_id_when_that_is_wanted() -> None:
    asker = Asker(instance(number=1), instance("web", 2, id="i.2"), instance_names=True)
    assert asker.verdict("web-1.web.instance.consul") == "A 10.0.0.1"
    assert asker.verdict("I.2.web.instance.dc1.consul", "SRV").startswith("SRV 1 1 80 0a000002")
    assert asker.verdict("2.web.instance.consul") == "NODATA"
    assert asker.verdict("web.instance.consul") == "NODATA"
    assert asker.verdict("instance.consul") == "NODATA"
    assert asker.verdict("web-3.web.instance.consul") == "NXDOMAIN"
    assert asker.verdict("nope.instance.consul") == "NXDOMAIN"
    off = Asker(instance(number=1))
    assert off.verdict("web-1.web.instance.consul") == "NXDOMAIN"
    assert off.verdict("instance.consul") == "NXDOMAIN"


def test_a_service_may_have_one_address_for_all() -> None:
    asker = Asker(
        instance(number=1),
        instance(number=2, tagged={"virtual": ("10.96.0.1", 80), "lan": ("10.0.0.2", 80)}),
        instance("odd", 1, tagged={"virtual": ("no address", 80)}),
    )
    assert asker.verdict("web.virtual.consul") == "A 10.96.0.1"
    assert asker.verdict("web.virtual.consul", "AAAA") == "NODATA"
    assert asker.verdict("odd.virtual.consul") == "NXDOMAIN"
    assert asker.verdict("virtual.consul") == "NODATA"
    assert Asker(instance()).verdict("virtual.consul") == "NXDOMAIN"


def test_mesh_names_lead_to_the_instances_that_are_marked() -> None:
    asker = Asker(
        instance("proxy", 1, meta={"pinnace-connect": "web, api"}),
        instance("gate", 2, meta={"pinnace-ingress": "web"}),
        instance("gate", 3, meta={"pinnace-ingress": "web"}, draining=True),
    )
    assert asker.verdict("web.connect.consul") == "A 10.0.0.1"
    assert asker.verdict("api.connect.dc1.consul", "SRV").startswith("SRV 1 1 80")
    assert asker.verdict("web.ingress.consul") == "A 10.0.0.2"
    asker.catalog.commit([node(), instance("gate", 2, address="", meta={"pinnace-ingress": "db"})])
    assert asker.verdict("db.ingress.consul") == "A 192.0.2.1"
    asker.catalog.commit([instance("gate", 2, meta={"pinnace-ingress": "web"})])
    assert asker.verdict("api.ingress.consul") == "NXDOMAIN"
    assert asker.verdict("connect.consul") == "NODATA"
    assert Asker().verdict("ingress.consul") == "NXDOMAIN"
    asker.catalog.commit([instance("gate", 2)])
    assert asker.verdict("web.ingress.consul") == "NXDOMAIN"


# --- choices ---------------------------------------------------------------------------------


def test_a_service_without_a_healthy_instance_may_exist_all_the_same() -> None:
    asker = Asker(instance(status=Status.CRITICAL, tags=("t",)), empty_exists=True)
    assert asker.verdict("web.service.consul") == "NODATA"
    assert asker.verdict("t.web.service.consul") == "NODATA"
    assert asker.verdict("nope.service.consul") == "NXDOMAIN"


def test_each_service_may_have_a_ttl_of_its_own() -> None:
    ttls = {b"web": 5, b"we*": 6, b"w*": 7, b"*": 8}
    asker = Asker(*(instance(n) for n in ("web", "wet", "wide", "db")), ttls=ttls, node_ttl=9)
    found = {n: asker.ask(f"{n}.service.consul").rr[0].ttl for n in ("web", "wet", "wide", "db")}
    assert found == {"web": 5, "wet": 6, "wide": 7, "db": 8}
    assert asker.ask("7f000001.addr.consul").rr[0].ttl == 9
    few = Asker(instance(), ttls={b"db": 1}, ttl=3)
    assert few.ask("web.service.consul").rr[0].ttl == 3


@pytest.mark.parametrize(
    ("name", "site", "verdict"),
    [
        ("version.bind", {"version": "x"}, b"x"),
        ("version.server", {"version": "x"}, b"x"),
        ("id.server", {"nsid": "n"}, b"n"),
        ("hostname.bind", {"nsid": "n"}, b"n"),
        ("version.bind", {}, None),
        ("id.server", {}, None),
        ("else.where", {"version": "x"}, None),
    ],
)
def test_class_chaos_tells_what_the_settings_allow(
    name: str, site: dict[str, Any], verdict: bytes | None
) -> None:
    reply = Asker(**site).ask(name, "TXT", qclass=3)
    assert [record.rdata.data[0] for record in reply.rr] == ([verdict] if verdict else [])
    assert RCODE[reply.header.rcode] == ("NOERROR" if verdict else "REFUSED")
    assert all(record.rclass == 3 for record in reply.rr)
    assert RCODE[Asker(**site).ask(name, "A", qclass=3).header.rcode] == "REFUSED"


def test_a_cname_is_answered_as_such() -> None:
    asker = Asker(
        instance("out", 1, address="www.example.org"),
        instance("both", 1, address="www.example.org"),
        instance("both", 2),
    )
    assert asker.verdict("out.service.consul", "CNAME") == "CNAME www.example.org."
    assert asker.verdict("both.service.consul", "CNAME") == "NODATA"


def test_nodes_without_a_usable_address_have_none() -> None:
    asker = Asker(node("odd", "no address"), instance("web", 1, meta={"alpn": "x" * 300}))
    assert asker.verdict("odd.node.consul") == "NODATA"
    assert len(asker.ask("web.service.consul", "HTTPS").rr) == 1
    out = Asker(instance("web", 1, address="www.example.org"), svcb=True)
    assert texts(out.ask("web.service.consul", "HTTPS").rr) == ["HTTPS 1 www.example.org. port=80"]
    assert asker.verdict("a.b.web.instance.consul") == "NXDOMAIN"
