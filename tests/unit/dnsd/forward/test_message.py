"""What other servers send, read without trust."""

import random
from struct import pack

import pytest
from dnslib import RR, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from dnsd import codes
from dnsd.forward.message import Asked, Malformed, encode, mixed, read, sections_of
from tests.support.asker import wire

ASKED = Asked(wire("x.example.org"), codes.A, codes.CLASS_IN)
HEAD = b"\x12\x34\x81\x80"


def reply(*lines: str, rcode: int = 0, tc: int = 0) -> bytes:
    record = DNSRecord(
        DNSHeader(id=0x1234, qr=1, rd=1, ra=1, tc=tc, rcode=rcode), q=DNSQuestion("x.example.org")
    )
    for line in lines:
        record.add_answer(*RR.fromZone(line))
    return record.pack()


def test_a_query_has_our_id_rd_and_an_opt() -> None:
    packet = encode(ASKED._replace(do=True, cd=True), 0xBEEF, edns=True)
    decoded = DNSRecord.parse(packet)
    assert (decoded.header.id, decoded.header.rd) == (0xBEEF, 1)
    assert packet[2:4] == b"\x01\x10"
    assert packet[-11:] == pack(">BHHIH", 0, 41, 1232, 0x8000, 0)
    assert len(encode(ASKED, 1, edns=False)) == len(packet) - 11


def test_records_come_with_their_names_written_out() -> None:
    lines = (
        "x.example.org. 60 CNAME y.example.org.",
        "y.example.org. 50 MX 10 mail.y.example.org.",
        "y.example.org. 40 SOA ns.example.org. host.example.org. 1 2 3 4 5",
        "y.example.org. 30 SRV 1 2 3 host.example.org.",
        "y.example.org. 20 TXT hello",
    )
    found = read(reply(*lines), ASKED, 0x1234)
    cname, mail, soa, srv, text = found.sections[0]
    assert (cname.owner, cname.names) == (ASKED.name, (wire("y.example.org"),))
    assert (mail.before, mail.names) == (b"\0\x0a", (wire("mail.y.example.org"),))
    assert soa.names == (wire("ns.example.org"), wire("host.example.org"))
    assert soa.after == pack(">IIIII", 1, 2, 3, 4, 5)
    assert (srv.before, srv.names) == (pack(">HHH", 1, 2, 3), (wire("host.example.org"),))
    assert (text.before, text.ttl) == (b"\x05hello", 20)


def test_a_truncated_reply_has_nothing_to_use() -> None:
    found = read(reply("x.example.org. 60 A 192.0.2.1", tc=1), ASKED, 0x1234)
    assert (found.truncated, found.sections) == (True, ((), (), ()))


def test_who_knows_no_edns_may_leave_out_the_question() -> None:
    found = read(b"\x12\x34\x80\x01" + bytes(8), ASKED, 0x1234)
    assert found.rcode == codes.FORMERR


def test_other_classes_opt_and_signatures_are_left_out() -> None:
    chaos = b"\xc0\x0c" + pack(">HHIH", 1, 3, 0, 4) + b"\1\2\3\4"
    opt = b"\0" + pack(">HHIH", 41, 1232, 0, 0)
    packet = HEAD + pack(">HHHH", 1, 1, 0, 1) + ASKED.question + chaos + opt
    assert read(packet, ASKED, 0x1234).sections == ((), (), ())


def test_a_ttl_with_its_highest_bit_is_zero() -> None:
    record = b"\xc0\x0c" + pack(">HHIH", 1, 1, 1 << 31, 4) + b"\1\2\3\4"
    packet = HEAD + pack(">HHHH", 1, 1, 0, 0) + ASKED.question + record
    assert read(packet, ASKED, 0x1234).sections[0][0].ttl == 0


BODY = ASKED.question


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x12\x35" + reply()[2:],
        reply()[:2] + b"\x01" + reply()[3:],
        reply()[:2] + b"\xa8" + reply()[3:],
        HEAD + pack(">HHHH", 0, 0, 0, 0),
        HEAD + pack(">HHHH", 1, 0, 0, 0) + wire("y.example.org") + b"\0\1\0\1",
        HEAD + pack(">HHHH", 1, 0, 0, 0) + wire("X.example.org") + b"\0\1\0\1",
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY,
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\xc0\x0c\0\1",
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\xc0\x0c" + pack(">HHIH", 1, 1, 0, 9),
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\xc0",
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\xc0\x1f" + bytes(10),
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\x40" + bytes(10),
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + (b"\x3f" + b"a" * 63) * 4 + bytes(11),
        HEAD + pack(">HHHH", 1, 1, 0, 0) + BODY + b"\0" + pack(">HHIH", 5, 1, 0, 1) + b"\1a\0",
    ],
)
def test_what_is_no_reply_to_the_question_is_malformed(packet: bytes) -> None:
    with pytest.raises(Malformed):
        read(packet, ASKED, 0x1234)


@given(st.binary(max_size=200), st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_no_octets_make_it_raise_anything_else(octets: bytes, counts: list[int]) -> None:
    packet = HEAD + pack(">HHHH", 1, *counts) + BODY + octets
    try:
        read(packet, ASKED, 0x1234)
        sections_of(packet, 12, counts)
    except Malformed:
        pass


def test_mixed_case_is_the_same_name() -> None:
    draw = random.Random(1)
    name = wire("some-long-name.example.org")
    seen = {mixed(name, draw.getrandbits(253)) for _ in range(50)}
    assert len(seen) == 50
    assert {one.lower() for one in seen} == {name}
    assert mixed(name, 0) == name
