"""Two decoders that nobody here wrote read every answer of a generated catalogue, at all sizes."""

import random
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rdatatype
import pytest
from dnslib import QTYPE, RR, DNSRecord

from dnsd.names import zone_of
from sidecar.catalog.changes import Change
from sidecar.catalog.model import Status
from tests.support.asker import TYPES, Asker, instance, node, opt, query, texts

KINDS = [
    *("A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA", "SRV", "SVCB", "HTTPS", "ANY"),
    *(0, 43, 48, 99, 65280),
]
LIMITS = (None, 700, 4096)


def catalogue(draw: random.Random) -> Iterator[Change]:
    """Yield a catalogue of every shape: families, aliases, tags, weights, sizes, metadata."""
    yield node("node-1", "192.0.2.1", rack="r1", note="x" * 300)
    yield node("n.six", "2001:db8::6", zone="z")
    yield node("alias", "web.service.consul")
    sizes = {"one": 1, "two": 2, "ten": 10, "many": 90, "web": 4, "mixed": 7, "named": 3}
    for name, size in sizes.items():
        for number in range(1, size + 1):
            six = name == "mixed" and number % 2
            yield instance(
                name,
                number,
                address=f"2001:db8::{number:x}" if six else f"10.{len(name)}.0.{number}",
                port=80 + number % 3,
                tags=("v1.2", f"t{number % 2}"),
                weight=draw.choice((1, 1, 5)) if name in {"web", "mixed"} else 1,
                status=draw.choice((Status.PASSING, Status.WARNING)),
                node=draw.choice(("node-1", "n.six", "unknown")),
                meta={"k": "v", "alpn": "h2", "skydns-text": "t" * 300, "skydns-mail": "true"},
            )
    yield instance("alone", 1, address="")
    yield instance("out", 1, address="www.example.org")
    yield instance("in", 1, address="ten.service.consul")
    yield instance("loop", 1, address="loop.service.consul")
    yield instance("gone", 1, status=Status.CRITICAL)


SERVICES = ("one", "two", "ten", "many", "web", "mixed", "alone", "out", "in", "loop", "gone", "no")


def names() -> Iterator[str]:
    for service in SERVICES:
        yield from (f"{service}.service.consul", f"{service}.sky.example")
    for service in ("ten", "many", "mixed"):
        yield from (f"{service}.Service.pinnace", f"v1.2.{service}.service.dc1.consul")
        yield from (f"_{service}._tcp.consul", f"{service}-1.{service}.instance.consul")
    yield from ("node-1.node.consul", "n.six.node.consul", "alias.node.consul", "six.node.consul")
    yield from ("0a000001.addr.consul", "consul", "pinnace", "ns.consul", "service.consul")
    yield from ("1.2.0.192.in-addr.arpa", "1.0.3.10.in-addr.arpa", "10.in-addr.arpa")
    yield from ("sky.example", "*.sky.example", "ns.dns.sky.example", "any.t1.v1.sky.example")
    yield from ("example.org", ".", "x" * 63 + "." + "y" * 63 + ".consul")


@pytest.fixture(scope="module")
def asker() -> Asker:
    return Asker(
        *catalogue(random.Random(7)),
        instance_names=True,
        service_meta=True,
        node_ttl=7,
        ttl=9,
        sky_zone=zone_of("sky.example"),
    )


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_read_the_same_by_both(asker: Asker, kind: str | int, tcp: bool) -> None:
    for name in names():
        whole = answers(asker, name, kind, tcp=True, payload=4096)
        for payload in LIMITS:
            found = answers(asker, name, kind, tcp=tcp, payload=payload)
            assert found <= whole
            assert not tcp or found == whole


def answers(
    asker: Asker, name: str, kind: str | int, *, tcp: bool, payload: int | None
) -> set[tuple[str, str]]:
    """Return what is answered, after both decoders have read the reply."""
    extra = b"" if payload is None else opt(payload, do=True)
    packet = query(name, kind, extra=extra)
    octets = asker.send(packet, tcp=tcp)
    assert octets is not None
    limit = 65535 if tcp else max(512, min(payload or 512, 1232))
    assert len(octets) <= limit
    first = DNSRecord.parse(octets)
    second = dns.message.from_wire(octets)
    assert first.header.id == second.id == 0x1234
    sections = (
        (first.rr, second.answer),
        (first.auth, second.authority),
        ([record for record in first.ar if record.rtype != 41], second.additional),
    )
    for ours, theirs in sections:
        assert len(ours) == sum(map(len, theirs))
        assert {record.rtype for record in ours} == {rrset.rdtype for rrset in theirs}
        sets = {(str(record.rname).lower(), record.rtype) for record in ours}
        assert len({(*key, r.ttl) for key in sets for r in ours if one_of(r, key)}) == len(sets)
    assert (second.edns == 0) == (payload is not None)
    if payload is not None:
        assert second.payload == 1232
        assert second.ednsflags & dns.flags.DO
        assert first.ar[-1].rtype == 41
    owners = {str(rrset.name) for rrset in second.answer[:1]}
    assert owners <= {name if name.endswith(".") else name + "."}
    if not second.answer and second.rcode() in {0, 3} and not second.flags & dns.flags.TC:
        assert [rrset.rdtype for rrset in second.authority] == [dns.rdatatype.SOA]
    number = TYPES[kind] if isinstance(kind, str) else kind
    kinds = {rrset.rdtype for rrset in second.answer}
    assert number == 255 or kinds <= {number, 5}, (name, QTYPE.get(number))
    return {
        (dns.rdatatype.to_text(rrset.rdtype), str(rdata))
        for rrset in second.answer
        for rdata in rrset
        if rrset.rdtype != dns.rdatatype.SOA
    }


def one_of(record: RR, key: tuple[str, int]) -> bool:
    return (str(record.rname).lower(), record.rtype) == key


def test_every_target_resolves_here_to_its_own_address(asker: Asker) -> None:
    for name in names():
        for kind in ("SRV", "HTTPS", "NS", "MX", "PTR"):
            octets = asker.send(query(name, kind, extra=opt(4096)), tcp=True)
            assert octets is not None
            for record in dns.message.from_wire(octets).additional:
                if record.rdtype in {1, 28}:
                    found = set(texts(asker.ask(str(record.name), record.rdtype, tcp=True).rr))
                    told = {f"{'A' if record.rdtype == 1 else 'AAAA'} {d}" for d in record}
                    assert found, (name, kind)
                    assert told == found, (name, kind)
