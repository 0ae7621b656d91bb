"""Replies that are not built from the catalogue, rates, and HTTP."""

import pytest
from dnslib import DNSRecord

from dnsd import codes, wire
from dnsd.doh import question_of, response_of
from dnsd.edns import NSID, option
from dnsd.forward.message import Reply
from dnsd.frames import Tail, curtailed, forwarded
from dnsd.httpwire import BadRequest, Request, Requests, Response, encode
from dnsd.rates import Action, Rates
from dnsd.records import Record
from tests.support.asker import opt, query
from tests.support.asker import wire as name_of

NAME = "x.Example.org"


def parsed(packet: bytes) -> wire.Query:
    found = wire.parse(packet)
    assert isinstance(found, wire.Query)
    return found


def addresses(count: int, *, glue: int = 0) -> Reply:
    owner = name_of("x.example.org")
    answers = tuple(Record(codes.A, 9, n.to_bytes(4), owner=owner) for n in range(count))
    more = tuple(
        Record(codes.A, 9, n.to_bytes(4), owner=name_of(f"glue-{n}.example")) for n in range(glue)
    )
    return Reply(0, truncated=False, sections=(answers, (), more))


def framed(packet: bytes, reply: Reply, limit: int, error: int | None = None) -> bytes:
    return forwarded(parsed(packet), packet[:2], reply, limit, Tail(1232, error=error))


def test_a_foreign_reply_answers_the_question_as_it_was_asked() -> None:
    packet = query(NAME, extra=opt())
    done = framed(packet, addresses(3, glue=1), 1232, error=3)
    found = DNSRecord.parse(done)
    assert (str(found.q.qname), len(found.rr), len(found.ar)) == (f"{NAME}.", 3, 2)
    assert (found.header.ra, found.header.aa, found.header.tc) == (1, 0, 0)


def test_glue_goes_first_and_what_does_not_fit_then_is_asked_for_over_tcp() -> None:
    packet = query(NAME)
    done = DNSRecord.parse(framed(packet, addresses(20, glue=20), 512))
    assert (len(done.rr), len(done.ar), done.header.tc) == (20, 0, 0)
    cut = framed(packet, addresses(40), 512)
    assert (len(DNSRecord.parse(cut).rr), DNSRecord.parse(cut).header.tc) == (0, 1)


def test_a_foreign_reply_is_padded_to_whole_blocks_where_that_is_wanted() -> None:
    packet = query(NAME, extra=opt(options=b"\0\x0c\0\0"))
    tail = Tail(1232, option(NSID, b"here"), pads=True)
    for count in (1, 30, 100):
        done = forwarded(parsed(packet), packet[:2], addresses(count), 65535, tail)
        assert len(done) % 468 == 0
        found = DNSRecord.parse(done).ar[-1].rdata
        assert [(o.code, bytes(o.data).strip(b"\0")) for o in found] == [(3, b"here"), (12, b"")]
    plain = query(NAME)
    assert len(framed(plain, addresses(1), 512)) == len(
        forwarded(parsed(plain), plain[:2], addresses(1), 512, tail)
    )


def test_a_curtailed_reply_keeps_code_and_flags() -> None:
    packet = query(NAME, extra=opt(do=True))
    whole = framed(packet, addresses(30), 4096)
    cut = curtailed(packet, whole, 1232)
    found = DNSRecord.parse(cut)
    assert (found.header.tc, found.header.ra, found.rr, len(found.ar)) == (1, 1, [], 1)
    assert len(cut) <= len(packet)
    assert curtailed(b"junk", b"error", 1232) == b"error"
    assert len(curtailed(query(NAME), whole, 1232)) == len(query(NAME))


def test_rates_are_per_network_and_kind() -> None:
    rates = Rates(2, window=5.0, slip=2)
    answer, absent = bytes(7) + b"\1" + bytes(4), b"\0\0\x81\x83" + bytes(8)
    kinds = [rates.judge(f"198.51.100.{n}", answer, 0.0) for n in range(6)]
    assert kinds == [Action.SEND] * 2 + [Action.DROP, Action.SLIP] * 2
    assert rates.judge("198.51.100.1", absent, 0.0) is Action.SEND
    assert rates.judge("198.51.101.1", answer, 0.0) is Action.SEND
    assert rates.judge("198.51.100.1", bytes(12), 0.0) is Action.SEND  # NODATA
    assert rates.judge("198.51.100.1", b"\0\0\0\5" + bytes(8), 0.0) is Action.SEND
    assert rates.judge("2001:db8:0:ff::1%eth0", answer, 0.0) is Action.SEND
    assert rates.judge("2001:db8:0:fe::2", answer, 0.0) is Action.SEND  # the same /56
    assert rates.judge("2001:db8:0:fd::3", answer, 0.0) is not Action.SEND


def test_a_debt_is_bounded_and_paid_off() -> None:
    rates = Rates(10, window=2.0, slip=0)
    answer = bytes(7) + b"\1" + bytes(4)
    assert [rates.judge("198.51.100.1", answer, 0.0) for _ in range(1000)][-1] is Action.DROP
    assert rates.judge("198.51.100.1", answer, 1.0) is Action.DROP
    assert rates.judge("198.51.100.1", answer, 2.5) is Action.SEND


def test_made_up_networks_do_not_grow_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnsd.rates._ACCOUNTS", 10)
    rates = Rates(1, window=1.0, slip=0)
    for n in range(100):
        rates.judge(f"10.0.{n}.1", bytes(12), 0.0)
    assert len(rates) == 10


# --- HTTP ------------------------------------------------------------------------------------


def requests(data: bytes) -> Requests:
    found = Requests()
    found.feed(data)
    return found


def test_requests_come_whole_in_any_split() -> None:
    data = (
        b"POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /a?b HTTP/1.0\r\n\r\n"
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"
    )
    for step in (1, 7, len(data)):
        reader, found = Requests(), []
        for at in range(0, len(data), step):
            reader.feed(data[at : at + step])
            while (request := reader.next()) is not None:
                found.append(request)
        assert [r.body for r in found] == [b"abc", b"", b"", b""]
        assert [r.target for r in found] == ["/dns-query", "/a?b", "/", "/"]
        assert [r.keep_alive for r in found] == [True, False, True, False]
        assert len(reader) == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"G(T / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", 413),
        (b"GET /" + b"a" * 9000, 431),
    ],
)
def test_what_is_no_request_is_told_so(data: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as raised:
        requests(data).next()
    assert raised.value.status == status


def test_a_response_says_its_length_and_when_it_is_the_last() -> None:
    text = encode(Response(200, b"abc", "x/y", (("A", "b"),)), keep_alive=False)
    assert text.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: 3\r\n")
    assert text.endswith(b"A: b\r\nConnection: close\r\n\r\nabc")
    assert b"Connection" not in encode(Response(404), keep_alive=True)


def asked(method: str, target: str, body: bytes = b"", kind: str = "") -> bytes | Response:
    headers = {"content-type": kind} if kind else {}
    return question_of(Request(method, target, headers, body, True))


def test_questions_come_by_get_and_post() -> None:
    packet = query("a.b")
    assert asked("POST", "/dns-query", packet, "application/dns-message; x=y") == packet
    get = asked("GET", "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB")
    assert isinstance(get, bytes)
    assert parsed(get).name == name_of("www.example.com")  # RFC 8484 4.1.1
    for bad, status in (
        (asked("GET", "/other"), 404),
        (asked("DELETE", "/dns-query"), 405),
        (asked("POST", "/dns-query", packet), 415),
        (asked("GET", "/dns-query?dns=a"), 400),
        (asked("GET", "/dns-query?dns=" + "A" * 5000), 400),
    ):
        assert isinstance(bad, Response)
        assert bad.status == status


@pytest.mark.parametrize(
    ("reply", "age"),
    [
        (framed(query(NAME), addresses(2), 512), 9),
        (framed(query(NAME), addresses(0), 512), 0),
        (b"\0\0\x81\x81" + bytes(8), 0),
        (b"\0\0\x81\x80\0\0\0\1\0\0\0\0", 0),
    ],
)
def test_an_answer_may_be_kept_as_long_as_its_shortest_record(reply: bytes, age: int) -> None:
    response = response_of(Request("GET", "/", {}, b"", True), reply)
    assert response.headers == (("Cache-Control", f"max-age={age}"),)
    assert response.body == reply
    assert response_of(Request("HEAD", "/", {}, b"", True), reply).body == b""
