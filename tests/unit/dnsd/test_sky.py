"""The grammar of SkyDNS."""

from typing import Any

import pytest
from dnslib import RCODE

from dnsd.names import zone_of
from dnsd.skytree import path_of
from sidecar.catalog.changes import Change, Put
from tests.support.asker import Asker, instance, node, texts

ZONE = zone_of("sky.local")


def sky(*changes: Change, **site: Any) -> Asker:
    return Asker(*changes, sky_zone=ZONE, **site)


def put(service: str, id_: str, address: str, *, port: int = 80, **meta: str) -> Put:
    tags = tuple(meta.pop("tags", "").split())
    return instance(
        service,
        address=address,
        port=port,
        id=id_,
        tags=tags,
        meta={f"skydns-{key}": value for key, value in meta.items()},
    )


EAST = (
    put("web", "1", "10.0.0.1", tags="east prod"),
    put("web", "2", "10.0.0.2", tags="west prod"),
    put("api", "1", "10.0.0.3", tags="east prod"),
    put("db", "1", "10.0.0.9"),
)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("1.web.east.prod.sky.local", "A 10.0.0.1"),
        ("web.east.prod.sky.local", "A 10.0.0.1"),
        ("east.prod.sky.local", "A 10.0.0.1 A 10.0.0.3"),
        ("prod.sky.local", "A 10.0.0.1 A 10.0.0.2 A 10.0.0.3"),
        ("sky.local", "A 10.0.0.1 A 10.0.0.2 A 10.0.0.3 A 10.0.0.9"),
        ("web.*.prod.sky.local", "A 10.0.0.1 A 10.0.0.2"),
        ("any.east.Prod.sky.local", "A 10.0.0.1 A 10.0.0.3"),
        ("*.any.*.prod.sky.local", "A 10.0.0.1 A 10.0.0.2 A 10.0.0.3"),
        ("db.sky.local", "A 10.0.0.9"),
        ("nope.sky.local", "NXDOMAIN"),
        ("web.north.prod.sky.local", "NXDOMAIN"),
        ("ns.dns.sky.local", "A 127.0.0.1"),
        ("dns.sky.local", "NODATA"),
        ("web.service.consul", "A 10.0.0.1 A 10.0.0.2"),
    ],
)
def test_a_name_gives_all_that_stands_at_or_below_it(name: str, verdict: str) -> None:
    assert sky(*EAST).verdict(name) == verdict


def test_what_is_new_is_found() -> None:
    asker = sky(*EAST)
    assert asker.verdict("cache.sky.local") == "NXDOMAIN"
    asker.catalog.commit([put("cache", "1", "10.0.0.8")])
    assert asker.verdict("cache.sky.local") == "A 10.0.0.8"


def test_srv_records_share_a_hundred_by_priority() -> None:
    asker = sky(
        put("web", "1", "10.0.0.1", weight="100"),
        put("web", "2", "10.0.0.2"),
        put("web", "3", "10.0.0.3", weight="2"),
        put("web", "4", "www.example.org", priority="20", port=81, weight="7"),
        put("web", "5", "10.0.0.5", priority="no number", port=70000),
    )
    reply = asker.ask("web.sky.local", "SRV")
    assert texts(reply.rr) == [
        "SRV 10 1 80 3.web.sky.local.",
        "SRV 10 33 80 1.web.sky.local.",
        "SRV 10 33 80 2.web.sky.local.",
        "SRV 20 100 81 www.example.org.",
    ]
    assert texts(reply.ar) == ["A 10.0.0.1", "A 10.0.0.2", "A 10.0.0.3"]
    assert {record.ttl for record in reply.rr} == {3600}


def test_targetstrip_shortens_the_target() -> None:
    asker = sky(put("web", "1", "10.0.0.1", targetstrip="1"))
    assert asker.verdict("web.sky.local", "SRV") == "SRV 10 100 80 web.sky.local."


def test_an_address_that_is_a_name_is_followed() -> None:
    asker = sky(put("out", "1", "www.example.org"), put("in", "1", "web.service.consul"), *EAST)
    assert asker.verdict("out.sky.local") == "CNAME www.example.org."
    assert "A 10.0.0.1" in asker.verdict("in.sky.local")
    assert asker.verdict("out.sky.local", "CNAME") == "CNAME www.example.org."


def test_text_and_mail_come_from_their_fields() -> None:
    asker = sky(
        put("m", "1", "10.0.0.1", mail="true", text="hello", priority="5", ttl="60"),
        put("m", "2", "mail.example.org", mail="true", ttl="90"),
        put("m", "3", "10.0.0.3"),
        put("m", "4", "not a name", mail="true"),
    )
    assert [str(r.rdata) for r in asker.ask("m.sky.local", "TXT").rr] == ['"hello"']
    reply = asker.ask("m.sky.local", "MX")
    assert texts(reply.rr) == ["MX 10 mail.example.org.", "MX 5 1.m.sky.local."]
    assert texts(reply.ar) == ["A 10.0.0.1"]
    assert {record.ttl for record in reply.rr} == {60}
    assert asker.verdict("3.m.sky.local", "MX") == "NODATA"
    assert asker.verdict("3.m.sky.local", "TXT") == "NODATA"
    assert asker.verdict("m.sky.local", "AAAA") == "CNAME mail.example.org."
    assert asker.verdict("3.m.sky.local", "HTTPS") == "NODATA"


def test_the_shortest_path_fixes_the_group() -> None:
    changes = (
        put("g", "1", "10.0.0.1", group="a"),
        put("g", "2", "10.0.0.2", tags="x", group="b"),
        put("g", "3", "10.0.0.3", tags="x"),
    )
    asker = sky(*changes, sky_template="{id}.{tags}.{service}")
    assert asker.verdict("g.sky.local") == "A 10.0.0.1 A 10.0.0.3"
    assert asker.verdict("x.g.sky.local") == "A 10.0.0.2 A 10.0.0.3"


def test_the_top_has_name_servers_and_its_own_negative_ttl() -> None:
    asker = sky(*EAST)
    reply = asker.ask("sky.local", "NS")
    assert texts(reply.rr) == ["NS ns.dns.sky.local."]
    assert texts(reply.ar) == ["A 127.0.0.1"]
    assert asker.verdict("sky.local", "SOA").startswith("SOA ns.dns.sky.local. hostmaster.dns")
    reply = asker.ask("nope.sky.local")
    assert (RCODE[reply.header.rcode], reply.auth[0].ttl) == ("NXDOMAIN", 30)
    asker.catalog.commit([put("dns", "a", "10.0.0.53"), put("dns", "b", "10.0.0.54")])
    assert asker.verdict("sky.local", "NS") == "NS ns.dns.sky.local."
    own = sky(put("ns", "a", "10.0.0.53"), sky_template="{id}.{service}.dns")
    assert own.verdict("sky.local", "NS") == "NS a.ns.dns.sky.local."
    nowhere = sky(addresses=())
    assert nowhere.verdict("sky.local", "NS") == "NS ns.dns.sky.local."
    assert nowhere.verdict("ns.dns.sky.local") == "NODATA"
    assert asker.verdict("ns.dns.sky.local", "MX") == "NODATA"
    assert sky(node()).verdict("sky.local") == "NODATA"


def test_one_domain_may_be_inside_the_other() -> None:
    asker = Asker(*EAST, sky_zone=zone_of("sky.consul"))
    assert asker.verdict("db.sky.consul") == "A 10.0.0.9"
    assert asker.verdict("db.service.consul") == "A 10.0.0.9"
    outside = Asker(*EAST, zones=(zone_of("c.local"),), sky_zone=zone_of("local"))
    assert outside.verdict("db.service.c.local") == "A 10.0.0.9"
    assert outside.verdict("db.local") == "A 10.0.0.9"


def test_what_makes_no_name_has_no_path() -> None:
    site = sky().site
    assert path_of(put("web", "x" * 64, "10.0.0.1").instance, site) is None
    assert path_of(put("web", "a.b", "10.0.0.1").instance, site) == (b"web", b"b", b"a")
    asker = sky(put("web", "x" * 64, "10.0.0.1"), put("web", "ok", "10.0.0.2"))
    assert asker.verdict("web.sky.local") == "A 10.0.0.2"


def test_a_chain_goes_through_both_grammars() -> None:
    asker = sky(
        put("first", "1", "second.sky.local"),
        put("second", "1", "third.service.consul"),
        instance("third", 1, address="db.sky.local"),
        *EAST,
    )
    verdict = asker.verdict("first.sky.local")
    assert verdict == (
        "A 10.0.0.9 CNAME db.sky.local. CNAME second.sky.local. CNAME third.service.consul."
    )
    loop = sky(put("a", "1", "b.sky.local"), put("b", "1", "a.sky.local"))
    assert loop.verdict("a.sky.local") == "CNAME a.sky.local. CNAME b.sky.local."
