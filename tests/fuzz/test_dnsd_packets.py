"""No octets make dnsd raise, and no bad query earns a longer reply than it was."""

import random

import pytest
from dnslib import RCODE, DNSRecord
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnsd import wire
from tests.fuzz import dnsd_packets
from tests.support.asker import TYPES, Asker, instance, node, opt, query

ASKER = Asker(
    node(),
    *(instance(number=n, tags=("a.b",), weight=n) for n in range(1, 30)),
    instance("alias", address="web.service.consul"),
    instance("six", address="2001:db8::1"),
)

WORDS = """
web WEB alias six a b _web _tcp _udp service node addr query dc1 dc consul pinnace ns x example
c0000201 node-1
"""
LABELS = st.sampled_from(WORDS.split())
NAMES = st.lists(LABELS, max_size=7).map(".".join)
QUERIES = st.builds(
    query,
    NAMES,
    st.sampled_from(sorted(TYPES)),
    qclass=st.sampled_from([0, 1, 3, 255]),
    flags=st.integers(0, 0x7FFF),
    extra=st.one_of(
        st.just(b""),
        st.builds(
            opt,
            st.integers(0, 65535),
            version=st.integers(0, 2),
            do=st.booleans(),
            options=st.binary(max_size=20),
        ),
    ),
)


def check(packet: bytes, *, tcp: bool) -> None:
    reply = ASKER.send(packet, tcp=tcp)
    if reply is None:
        return
    assert len(packet) >= 12
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    assert len(reply) <= (65535 if tcp else 1232)
    if isinstance(verdict := wire.parse(packet), wire.Rejected) and verdict.rcode == 1:
        assert len(reply) <= len(packet)


@given(st.binary(max_size=600), st.booleans())
@example(b"\0" * 12, False)
def test_random_octets_raise_nothing(packet: bytes, tcp: bool) -> None:
    check(packet, tcp=tcp)


@given(st.binary(max_size=100))
def test_random_octets_after_a_good_header_raise_nothing(tail: bytes) -> None:
    check(b"\0\1\1\0\0\1\0\0\0\0\0\1" + tail, tcp=False)


@settings(max_examples=400)
@given(QUERIES, st.randoms(use_true_random=False), st.booleans())
def test_mutated_queries_raise_nothing(packet: bytes, chance: random.Random, tcp: bool) -> None:
    octets = bytearray(packet)
    for _ in range(chance.randrange(4)):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    check(bytes(octets[: chance.randrange(len(octets) + 1)]), tcp=tcp)
    check(bytes(octets), tcp=tcp)


@settings(max_examples=400)
@given(QUERIES, st.booleans())
def test_well_formed_queries_get_replies_others_can_read(packet: bytes, tcp: bool) -> None:
    check(packet, tcp=tcp)
    octets = ASKER.send(packet, tcp=tcp)
    if octets is None:
        return
    reply = DNSRecord.parse(octets)
    assert reply.header.id == 0x1234
    if RCODE[reply.header.rcode] == "NXDOMAIN":
        assert [record.rtype for record in reply.auth] == [6]


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_queries_with_every_option_on_raise_nothing(seed: int) -> None:
    assert dnsd_packets.run(4000, seed) < 64 << 20
