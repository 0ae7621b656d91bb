"""Order and size of replies."""

import random
from collections import Counter
from ipaddress import ip_address

import pytest
from dnslib import DNSRecord

from dnsd.bodies import Limits, body_of, fixed
from dnsd.records import Answer, Record, Writer, pointing
from tests.support.asker import Asker, instance, opt, query, wire


def first_of(asker: Asker, kind: str = "A") -> str:
    """Return the first address, read at its place: decoding thousands of replies is slow."""
    packet = query("web.service.consul", kind, extra=opt())
    octets = asker.send(packet)
    assert octets is not None
    data = octets[len(packet) - 11 + 12 :]
    if kind == "SRV":
        data = bytes.fromhex(data[7:15].decode())
    return str(ip_address(data[: 16 if kind == "AAAA" else 4]))


@pytest.mark.parametrize("number", [2, 3, 7, 10])
def test_each_address_is_first_equally_often(number: int) -> None:
    asker = Asker(*(instance(number=n) for n in range(1, number + 1)))
    firsts = Counter(first_of(asker) for _ in range(10_000))
    share = 10_000 / number
    assert len(firsts) == number
    assert all(abs(count - share) <= 0.05 * share + 1 for count in firsts.values())


def test_alternation_of_a_and_aaaa_skews_neither() -> None:
    asker = Asker(
        *(instance(number=n) for n in range(1, 5)),
        *(instance(number=n, address=f"2001:db8::{n}") for n in range(5, 9)),
    )
    firsts = Counter(first_of(asker, kind) for _ in range(400) for kind in ("A", "AAAA"))
    assert set(firsts.values()) == {100}


def test_random_case_does_not_start_the_rotation_again() -> None:
    asker = Asker(instance(number=1), instance(number=2))
    names = ["WEB.service.consul", "Web.service.consul", "wEb.service.consul", "weB.service.consul"]
    firsts = [str(asker.ask(name).rr[0].rdata) for name in names]
    assert firsts in (["10.0.0.1", "10.0.0.2"] * 2, ["10.0.0.2", "10.0.0.1"] * 2)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_weights_decide_who_is_first_also_for_every_nth_query(step: int) -> None:
    asker = Asker(*(instance(number=n, weight=w) for n, w in enumerate((1, 2, 7), 1)))
    firsts = Counter([first_of(asker) for _ in range(3000 * step)][::step])
    for address, share in (("10.0.0.1", 300), ("10.0.0.2", 600), ("10.0.0.3", 2100)):
        assert firsts[address] == pytest.approx(share, rel=0.05)


def test_instances_at_one_address_count_each() -> None:
    asker = Asker(
        instance(number=1, port=80),
        instance(number=2, port=81, address="10.0.0.1"),
        instance(number=3),
    )
    firsts = Counter(first_of(asker) for _ in range(3000))
    assert firsts["10.0.0.1"] == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize("number", [3, 40])
def test_each_srv_record_is_first_in_turn(number: int) -> None:
    asker = Asker(*(instance(number=n) for n in range(1, number + 1)))
    firsts = Counter(first_of(asker, "SRV") for _ in range(10 * number))
    assert set(firsts.values()) == {10}


def test_srv_order_follows_weights() -> None:
    asker = Asker(instance(number=1, weight=1), instance(number=2, weight=3))
    firsts = Counter(first_of(asker, "SRV") for _ in range(3200))
    assert firsts["10.0.0.1"] == pytest.approx(800, rel=0.02)


@pytest.mark.parametrize("kind", ["A", "AAAA", "SRV"])
@pytest.mark.parametrize("payload", [None, 100, 512, 700, 1232, 4096])
@pytest.mark.parametrize("number", [1, 2, 10, 20, 100])
def test_a_reply_never_exceeds_what_the_client_takes(
    kind: str, payload: int | None, number: int
) -> None:
    tail = "2001:db8::" if kind == "AAAA" else "10.1.0."
    asker = Asker(*(instance(number=n, address=f"{tail}{n}") for n in range(1, number + 1)))
    extra = b"" if payload is None else opt(payload)
    packet = query("web.service.consul", kind, extra=extra)
    limit = 512 if payload is None else max(512, min(payload, 1232))
    for _ in range(3):
        octets = asker.send(packet)
        assert octets is not None
        assert len(octets) <= limit
        reply = DNSRecord.parse(octets)
        assert reply.header.tc == (len(reply.rr) < number)
        assert reply.rr
        edns = [record for record in reply.ar if record.rtype == 41]
        assert len(edns) == (payload is not None)
        assert not edns or reply.ar[-1] is edns[0]
        full = asker.send(packet, tcp=True)
        assert full is not None
        assert len(DNSRecord.parse(full).rr) == number


def test_glue_goes_before_answers_and_without_truncation() -> None:
    asker = Asker(*(instance(number=n) for n in range(1, 9)))
    reply = asker.ask("web.service.consul", "SRV")
    assert len(reply.rr) == 8
    assert 0 < len(reply.ar) < 8
    assert reply.header.tc == 0
    targets = [str(record.rdata).split()[-1] for record in reply.rr]
    owners = [b".".join(record.rname.label).decode() + "." for record in reply.ar]
    assert owners == targets[: len(owners)]


def test_a_shortened_set_lets_every_instance_have_traffic() -> None:
    asker = Asker(*(instance(number=n) for n in range(1, 61)))
    seen = {
        str(record.rdata)
        for _ in range(200)
        for kind in ("A", "SRV")
        for record in asker.ask("web.service.consul", kind).rr
    }
    assert len(seen) == 120


def test_a_set_too_large_for_tcp_is_cut_at_a_whole_record() -> None:
    asker = Asker(*(instance(number=n, port=n) for n in range(1, 2000)))
    octets = asker.send(query("web.service.consul", "SRV"), tcp=True)
    assert octets is not None
    reply = DNSRecord.parse(octets)
    assert 65000 < len(octets) <= 65535
    assert reply.header.tc == 1


def test_glue_beyond_the_reach_of_pointers_is_written_in_full() -> None:
    asker = Asker(*(instance(number=n) for n in range(1, 401)))
    octets = asker.send(query("web.service.consul", "SRV"), tcp=True)
    assert octets is not None
    reply = DNSRecord.parse(octets)
    assert (len(reply.rr), len(reply.ar), reply.header.tc) == (400, 400, 0)
    owners = [b".".join(record.rname.label).decode() + "." for record in reply.ar]
    assert owners == [str(record.rdata).split()[-1] for record in reply.rr]


def test_records_in_full_need_room_for_chains_too() -> None:
    asker = Asker(
        instance("alias", address="web.service.consul"),
        *(instance(number=n) for n in range(1, 60)),
    )
    reply = asker.ask("alias.service.consul")
    assert reply.header.tc == 1
    assert [record.rtype for record in reply.rr][:2] == [5, 1]


def test_the_soa_is_kept_as_long_as_it_fits() -> None:
    name = ".".join(["x" * 60] * 3) + ".service.consul"
    assert len(Asker().ask(name).auth) == 1


@pytest.mark.parametrize("room", [0, 20, 60, 200])
def test_whatever_does_not_fit_is_left_out_and_said(room: int) -> None:
    glue = (Record(1, 0, b"\x7f\0\0\1", owner=wire("t.consul")),)
    srv = Record(33, 0, b"\0\1\0\1\0\x50", (wire("t.consul"),))
    soa = Record(6, 0, names=(wire("ns.consul"), wire("h.consul")), after=b"\0" * 20)
    for answer, whole in (
        (Answer(0, records=(srv,), additional=glue), 28 + 16),
        (Answer(3, authority=(soa,)), 50),
    ):
        body = fixed(answer, wire("t.consul"), room)
        assert len(body.next()) <= room
        assert body.truncated == (sum(body.counts[:2]) == 0)
        assert (sum(body.counts) == 2 - (answer.rcode == 3)) == (room >= whole)


def test_no_pointer_reaches_beyond_its_limit() -> None:
    writer = Writer(wire("t.consul"))
    filler = Record(1, 0, b"x" * 0x4000)
    late = Record(1, 0, b"\1\2\3\4", owner=wire("late.example"))
    for record in (filler, late, late):
        writer.add(record)
    tail = writer.octets()[len(pointing(filler)) :]
    assert tail == 2 * (wire("late.example") + pointing(late)[2:])


def test_several_name_servers_keep_their_order() -> None:
    records = tuple(Record(2, 0, names=(wire(f"{n}.t.consul"),)) for n in ("a", "b"))
    draw = random.Random(1).random
    body = body_of(Answer(0, records=records), wire("t.consul"), Limits(1000), draw)
    assert body.counts == (2, 0, 0)
    assert body.next() == body.next()
