"""What people are shown, the query log, the zone as messages, and the feed of workers."""

import random
from struct import pack
from typing import Any

import pytest
from dnslib import DNSRecord

from dnsd import codes
from dnsd.cache import Responder
from dnsd.digging import dig
from dnsd.feed import Counts, Frames, Start, Told, encode
from dnsd.parts import Parts
from dnsd.present import data_of, name_text, type_number, type_text
from dnsd.querylog import QueryLog
from dnsd.records import Record
from dnsd.service import Service
from dnsd.site import site_of
from dnsd.tallies import Channel, Key
from dnsd.told import lines_of
from dnsd.transfer import messages, records_of, serial_known
from dnsd.wire import Query, parse
from sidecar.catalog.changes import Drop, DropNode, apply, diff
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import EMPTY, InstanceId, Snapshot, Status
from sidecar.config.model import DnsSettings
from sidecar.runtime.clock import FakeClock
from tests.support.asker import instance, node, opt, query, wire


def service_of(*changes: Any, **settings: Any) -> Service:
    catalog = Catalog()
    catalog.commit([*changes])
    wanted = DnsSettings(**settings)
    site = site_of(wanted, [], "node-1")
    responder = Responder(catalog, site, serial=7, draw=random.Random(1).random)
    return Parts(catalog, responder, FakeClock()).service(wanted, site)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (Record(codes.A, 0, b"\1\2\3\4"), "1.2.3.4"),
        (Record(codes.AAAA, 0, bytes(15) + b"\1"), "::1"),
        (Record(codes.SRV, 0, pack(">HHH", 1, 2, 3), (wire("a.b"),)), "1 2 3 a.b."),
        (Record(codes.CNAME, 0, names=(wire("a.b"),)), "a.b."),
        (Record(16, 0, b'\3a"b\2\x07\\'), '"a\\034b" "\\007\\092"'),
        (Record(codes.HINFO, 0, b"\1x\0"), '"x" ""'),
        (
            Record(codes.SOA, 0, names=(b"\0", b"\0"), after=pack(">IIIII", 1, 2, 3, 4, 5)),
            ". . 1 2 3 4 5",
        ),
        (Record(999, 0, b"\1\2"), "\\# 2 0102"),
        (Record(codes.A, 0, b"\1"), "\\# 1 01"),
    ],
)
def test_records_are_shown_as_people_write_them(record: Record, text: str) -> None:
    assert data_of(record) == text


def test_names_and_types_are_text_that_leads_back() -> None:
    assert name_text(b"\x05a.b\0\xff\0") == "a\\.b\\000\\255."
    assert [type_text(n) for n in (1, 5, 13, 777)] == ["A", "CNAME", "HINFO", "TYPE777"]
    assert [type_number(t) for t in ("srv", "cname", "TYPE777")] == [33, 5, 777]
    for wrong in ("", "X", "TYPE0", "TYPE65536", "TYPEx"):
        with pytest.raises(ValueError, match="no type"):
            type_number(wrong)


def test_dig_tells_the_answer_and_why() -> None:
    service = service_of(
        instance(number=1),
        instance(number=2, status=Status.CRITICAL),
        instance(number=3, draining=True, address="2001:db8::3"),
    )
    found = dig(service, "web.service.consul.", "a")
    assert found["status"] == "NOERROR"
    assert [r["data"] for r in found["answer"]] == ["10.0.0.1"]
    assert [one["reason"] for one in found["left_out"]] == ["critical", "draining"]
    text = "\n".join(lines_of(found))
    assert ";; web.service.consul. A: NOERROR, service web (index 1)" in text
    assert "web/web-3  [2001:db8::3]:80  on node-1  passing, draining  <- draining" in text
    assert "the catalogue has not been read yet" in text
    service.source.mark_synced()  # type: ignore[attr-defined]
    absent = "\n".join(lines_of(dig(service, "absent.service.consul", "A")))
    assert "NXDOMAIN" in absent
    assert "has not been read yet" not in absent
    for wrong in ("a..b", "x" * 64):
        with pytest.raises(ValueError, match="label"):
            dig(service, wrong, "A")


def test_dig_says_who_would_be_asked() -> None:
    service = service_of(forward=("corp.example=192.0.2.1",), recursors=("192.0.2.2",))
    assert dig(service, "a.corp.example", "A")["forwarded_to"] == ["192.0.2.1:53"]
    assert "get it from 192.0.2.2:53" in next(iter(lines_of(dig(service, "example.org", "A"))))
    assert "forwarded_to" not in dig(service_of(), "example.org", "A")


def test_text_from_the_catalogue_cannot_forge_lines() -> None:
    found = dig(service_of(instance(node="evil\n;; answer")), "web.service.consul", "A")
    assert all("\n" not in line for line in lines_of(found))


# --- transfers -------------------------------------------------------------------------------


def test_a_zone_is_cut_into_messages_and_a_known_serial_gets_the_soa_alone() -> None:
    service = service_of(
        node(),
        *(instance(f"svc-{n}", k, tags=("a.b", "")) for n in range(100) for k in range(3)),
        instance("x" * 64),
        instance("z" * 63, tags=("y" * 64,)),
        instance("named", address="host.example.org"),
    )
    replies = service.responder.replies()
    zone = next(zone for zone in service.site.zones if zone.labels == (b"consul",))
    packet = query("consul", "AXFR")
    asked = parse(packet)
    assert isinstance(asked, Query)
    records = list(records_of(replies.view, service.site, zone, replies.serial))
    whole = list(messages(asked, packet[:2], records))
    assert len(whole) > 3
    assert all(len(message) < 16384 for message in whole)
    decoded = [record for message in whole for record in DNSRecord.parse(message).rr]
    assert len(decoded) == len(records)
    kinds = {(str(r.rname), r.rtype) for r in decoded}
    assert ("named.service.consul.", codes.SRV) in kinds
    assert ("named.service.consul.", codes.CNAME) not in kinds  # not beside other records
    assert list(messages(asked, packet[:2], [])) == []
    short = records_of(replies.view, service.site, zone, replies.serial, short=True)
    assert [record.type for record in short] == [codes.SOA]


def test_an_ixfr_says_what_its_asker_has() -> None:
    soa = wire("consul") + pack(">HHIH", 6, 1, 0, 22) + b"\0\0" + pack(">IIIII", 42, 0, 0, 0, 0)
    base = query("consul", "IXFR")
    for tail, count, serial in ((soa, 1, 42), (b"", 0, None), (soa[:9], 1, None)):
        packet = base[:8] + pack(">HH", count, 0) + base[12:] + tail
        asked = Query(0, packet[12 : len(base)], wire("consul"), codes.IXFR, 1, None)
        assert serial_known(packet, asked) == serial


# --- the query log ---------------------------------------------------------------------------


def log_of(what: str, count: int, caplog: pytest.LogCaptureFixture) -> list[str]:
    log, channel = QueryLog(what), Channel("x", "udp", "1")
    failed = b"\0\0\x81\x82" + bytes(8)
    for number in range(count):
        log.note(query(f"{number}.b", extra=opt()), failed if number % 2 else None, channel)
    log.note(b"junk", b"\0\0\x81\x80" + bytes(8), channel)
    with caplog.at_level("INFO", logger="pinnace"):
        log.flush()
    return [str(record.__dict__["pinnace_fields"]) for record in caplog.records]


def test_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    lines = log_of("errors", 4, caplog)
    assert len(lines) == 2
    assert "'name': '1.b.', 'type': 'A', 'rcode': 'SERVFAIL'" in lines[0]


def test_one_in_so_many_is_logged_and_too_many_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert len(log_of("1/2", 5, caplog)) == 3
    caplog.clear()
    lines = log_of("1/1", 1500, caplog)
    assert len(lines) == 1001
    assert lines[-1] == "{'count': 501}"


# --- the feed --------------------------------------------------------------------------------


def test_a_feed_makes_the_same_catalogue_in_any_split() -> None:
    first = apply(EMPTY, [node(), instance(number=1, tags=("a",)), instance("db", 2)], 1)
    second = apply(first, [Drop("db", InstanceId("db-2"), "node-1"), DropNode("node-1")], 2)
    start = Start(DnsSettings(ttl=3.0, recursors=("192.0.2.1",)), "node-1", b"s" * 16, 9)
    key = Key("consul.", "A", "NOERROR", False, False, 1, 2)
    counts = Counts(True, {"x": [(("a",), 1.0)]}, [], [(0, key, 1, 2, 3)])
    told = [
        Told.of(diff(EMPTY, first), is_synced=False, away=None),
        Told.of(diff(first, second), is_synced=True, away="gone"),
    ]
    data = encode(start) + b"".join(map(encode, told)) + encode(counts)
    for step in (1, 13, len(data)):
        frames, found = Frames(), []
        for at in range(0, len(data), step):
            found += frames.feed(data[at : at + step])
        assert found[0] == start
        assert found[3] == counts
        snapshot: Snapshot = EMPTY
        for frame in told:
            assert frame in found[1:3]
            snapshot = apply(snapshot, frame.changes)
        assert snapshot.services == second.services
        assert dict(snapshot.nodes) == {}
        assert found[2] == told[1]


def test_octets_that_are_no_frame_are_an_error() -> None:
    with pytest.raises(ValueError, match="too large"):
        Frames().feed(b"\xff" * 8)
    with pytest.raises(ValueError, match="malformed"):
        Frames().feed(b"\0\0\0\1\xc1")
    with pytest.raises(TypeError, match="object has no packed form"):
        encode(Told(away=object()))  # type: ignore[arg-type]
