"""Other people's names: who is asked, what is believed, what is kept."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
from dnslib import QTYPE, RCODE, RR, DNSHeader, DNSQuestion, DNSRecord

from dnsd.component import DnsServer
from dnsd.edns import COOKIE, KEEPALIVE, NSID, option
from sidecar.catalog.live import Catalog
from sidecar.runtime.clock import FakeClock
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, node, opt, query
from tests.support.pace import allowed
from tests.support.upstream import Answer, Upstream, answering

SOA = "example.org. 60 SOA ns.example.org. host.example.org. 1 2 3 4 30"


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream().running() as running:
        yield running


def catalog() -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=1), node(), instance("far", address="x.example.org")])
    catalog.mark_synced()
    return catalog


async def ask(
    server: DnsServer, name: str, qtype: str | int = "A", *, tcp: bool = False, extra: bytes = b""
) -> DNSRecord:
    packet = query(name, qtype, extra=extra)
    if tcp:
        return DNSRecord.parse(await over_tcp(server, packet))
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(server.addresses[0])
        async with asyncio.timeout(15):
            await loop.sock_sendall(sock, packet)
            return DNSRecord.parse(await loop.sock_recv(sock, 65535))


async def over_tcp(server: DnsServer, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(len(packet).to_bytes(2) + packet)
    async with asyncio.timeout(15):
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    writer.close()
    return reply


def code(reply: DNSRecord) -> str:
    return RCODE[reply.header.rcode]


def ede(reply: DNSRecord) -> int | None:
    for record in reply.ar:
        if record.rtype == QTYPE.OPT:
            for option in record.rdata:
                if option.code == 15:
                    return int.from_bytes(option.data[:2])
    return None


def recursors(*upstreams: Upstream) -> dict[str, object]:
    return {"recursors": tuple(str(upstream.at) for upstream in upstreams)}


async def test_other_names_are_asked_elsewhere_and_kept(serve: Serve, upstream: Upstream) -> None:
    clock = FakeClock()
    async with serve(catalog(), settings=recursors(upstream), clock=clock) as server:
        for tcp in (False, True):
            reply = await ask(server, "x.EXAMPLE.org", tcp=tcp)
            assert [str(r.rdata) for r in reply.rr] == ["192.0.2.1"]
            assert str(reply.q.qname) == "x.EXAMPLE.org."
            assert (reply.header.ra, reply.header.aa) == (1, 0)
        assert upstream.questions() == [("x.example.org.", "A", "udp")]
        await clock.advance(40)
        assert (await ask(server, "x.example.org")).rr[0].ttl == 20
        await clock.advance(21)
        assert (await ask(server, "x.example.org")).rr[0].ttl == 60
        assert len(upstream.questions()) == 2


async def test_our_names_are_ours_and_say_that_recursion_is_available(
    serve: Serve, upstream: Upstream
) -> None:
    async with serve(catalog(), settings=recursors(upstream)) as server:
        for name in ("web.service.consul", "absent.service.consul", "web.service.consul"):
            reply = await ask(server, name)
            assert (reply.header.ra, reply.header.aa) == (1, 1)
    async with serve(catalog()) as server:
        assert (await ask(server, "web.service.consul")).header.ra == 0
    assert upstream.questions() == []


async def test_strangers_and_who_wants_no_recursion_are_refused(
    serve: Serve, upstream: Upstream
) -> None:
    closed = recursors(upstream) | {"recursion_allow": ("192.0.2.0/24",)}
    async with serve(catalog(), settings=closed) as server:
        reply = await ask(server, "x.example.org", extra=opt())
        assert (code(reply), reply.header.ra, ede(reply)) == ("REFUSED", 0, 20)
        assert (await ask(server, "web.service.consul")).header.ra == 0
    async with serve(catalog(), settings=recursors(upstream)) as server:
        packet = query("x.example.org", flags=0)
        assert code(DNSRecord.parse(await over_tcp(server, packet))) == "REFUSED"
    assert upstream.questions() == []


async def test_a_name_that_leads_away_is_followed_by_the_clients_type(
    serve: Serve, upstream: Upstream
) -> None:
    async with serve(catalog(), settings=recursors(upstream)) as server:
        for _ in range(2):
            reply = await ask(server, "far.service.consul")
            assert [QTYPE[r.rtype] for r in reply.rr] == ["CNAME", "A"]
            assert str(reply.rr[0].rdata) == "x.example.org."
            assert reply.header.aa
        upstream.answer = answering("x.example.org. 60 AAAA 2001:db8::1")
        reply = await ask(server, "far.service.consul", "AAAA")
        assert [QTYPE[r.rtype] for r in reply.rr] == ["CNAME", "AAAA"]
    assert upstream.questions() == [
        ("x.example.org.", "A", "udp"),
        ("x.example.org.", "AAAA", "udp"),
    ]


async def test_a_name_that_leads_away_is_followed_without_compression_too(
    serve: Serve, upstream: Upstream
) -> None:
    settings = recursors(upstream) | {"disable_compression": True}
    async with serve(catalog(), settings=settings) as server:
        reply = await ask(server, "FAR.service.consul")
        assert [QTYPE[r.rtype] for r in reply.rr] == ["CNAME", "A"]
        assert reply.q.qname.label[0] == b"FAR"
        assert reply.header.aa


async def test_a_foreign_answer_has_the_options_of_our_own(
    serve: Serve, upstream: Upstream
) -> None:
    """A resolver that got a cookie for our names takes no reply without one for others."""
    asked = opt(options=option(COOKIE, b"12345678") + option(NSID) + option(99))
    async with serve(catalog(), settings=recursors(upstream) | {"nsid": "here"}) as server:
        for name in ("web.service.consul", "x.example.org", "X.example.org", "far.service.consul"):
            reply = await ask(server, name, extra=asked)
            options = {o.code: bytes(o.data) for o in reply.ar[-1].rdata}
            assert (code(reply), sorted(options)) == ("NOERROR", [NSID, COOKIE])
            assert (options[COOKIE][:8], len(options[COOKIE])) == (b"12345678", 24)
            assert options[NSID] == b"here"
        reply = await ask(server, "x.example.org", tcp=True, extra=opt(options=option(KEEPALIVE)))
        assert [o.code for o in reply.ar[-1].rdata] == [KEEPALIVE]
        reply = await ask(server, "y.example.org", extra=opt(options=option(COOKIE, b"short")))
        assert code(reply) == "FORMERR"
    assert [name for name, _, _ in upstream.questions()] == ["x.example.org."]


async def test_a_reverse_name_that_is_not_ours_is_asked_elsewhere(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.answer = answering("9.113.0.203.in-addr.arpa. 60 PTR host.example.org.")
    async with serve(catalog(), settings=recursors(upstream)) as server:
        reply = await ask(server, "9.113.0.203.in-addr.arpa", "PTR")
        assert str(reply.rr[0].rdata) == "host.example.org."


async def test_zones_above_our_addresses_are_asked_elsewhere_if_they_are_not_local(
    serve: Serve, upstream: Upstream
) -> None:
    known = catalog()
    known.commit([instance("far", address="8.8.4.4"), instance("six", address="2600::1")])
    upstream.answer = answering(rcode="NOERROR", soa=SOA)
    above = ("in-addr.arpa", "8.in-addr.arpa", "4.8.8.in-addr.arpa", "ip6.arpa", "0.0.6.2.ip6.arpa")
    async with serve(known, settings=recursors(upstream)) as server:
        for _ in range(2):
            for name in above:
                reply = await ask(server, name, "SOA")
                assert (code(reply), reply.header.aa) == ("NOERROR", 0)
        for name in ("10.in-addr.arpa", "0.0.10.in-addr.arpa"):
            reply = await ask(server, name, "SOA")
            assert (code(reply), reply.header.aa) == ("NOERROR", 1)
        reply = await ask(server, "4.4.8.8.in-addr.arpa", "PTR")
        assert str(reply.rr[0].rdata) == "far.service.dc1.consul."
    assert [name.rstrip(".") for name, _, _ in upstream.questions()] == list(above)


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("localhost", "A", "127.0.0.1"),
        ("x.localhost", "AAAA", "::1"),
        ("localhost", "TXT", "NOERROR"),
        ("printer.local", "A", "NXDOMAIN"),
        ("x.test", "A", "NXDOMAIN"),
        ("x.onion", "A", "NXDOMAIN"),
        ("x.invalid", "A", "NXDOMAIN"),
        ("intranet", "A", "NXDOMAIN"),
    ],
)
async def test_special_names_are_asked_nobody(
    serve: Serve, upstream: Upstream, name: str, qtype: str, expected: str
) -> None:
    async with serve(catalog(), settings=recursors(upstream)) as server:
        number = {"TXT": 16}.get(qtype, qtype)
        reply = await ask(server, name, number)
        assert (str(reply.rr[0].rdata) if reply.rr else code(reply)) == expected
        assert reply.rr or QTYPE[reply.auth[0].rtype] == "SOA"
    assert upstream.questions() == []


async def test_domains_have_their_own_servers(serve: Serve, upstream: Upstream) -> None:
    async with Upstream(answering("a.corp.example. 60 A 192.0.2.7")).running() as corp:
        settings = recursors(upstream) | {"forward": (f"corp.example={corp.at}",)}
        async with serve(catalog(), settings=settings) as server:
            assert str((await ask(server, "a.corp.example")).rr[0].rdata) == "192.0.2.7"
            await ask(server, "x.example.org")
        only = {"forward": (f"corp.example={corp.at}",)}
        async with serve(catalog(), settings=only) as server:
            assert code(await ask(server, "x.example.org")) == "REFUSED"
        assert [name for name, *_ in corp.questions()] == ["a.corp.example."]
    assert [name for name, *_ in upstream.questions()] == ["x.example.org."]


def silent(_: DNSRecord, __: str) -> list[bytes]:
    return []


def liar(query_: DNSRecord, _: str) -> list[bytes]:
    """Answer everything but what was asked: other ID, name, type; then a query, then junk."""
    forged = RR.fromZone("x.example.org. 60 A 203.0.113.66")
    other_id = DNSRecord(DNSHeader(id=query_.header.id ^ 1, qr=1), q=query_.q, rr=forged)
    id_ = query_.header.id
    other_name = DNSRecord(DNSHeader(id=id_, qr=1), q=DNSQuestion("y.example.org"), rr=forged)
    other_type = DNSRecord(
        DNSHeader(id=id_, qr=1), q=DNSQuestion("x.example.org", QTYPE.MX), rr=forged
    )
    no_reply = DNSRecord(DNSHeader(id=id_, qr=0), q=query_.q, rr=forged)
    lies = [one.pack() for one in (other_id, other_name, other_type, no_reply)]
    return [*lies, b"", b"\0" * 11, other_id.pack()[:20]]


def refusing(rcode: str) -> Answer:
    return answering(rcode=rcode)


@pytest.mark.parametrize(
    "bad",
    [silent, liar, *map(refusing, ("SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"))],
    ids=["silent", "lying", "SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"],
)
async def test_the_next_server_is_asked_when_one_is_no_good(
    serve: Serve, upstream: Upstream, bad: Answer
) -> None:
    async with Upstream(bad).running() as first:
        settings = recursors(first, upstream) | {"recursor_timeout": 0.2}
        async with serve(catalog(), settings=settings) as server:
            begun = time.monotonic()
            reply = await ask(server, "x.example.org")
            assert [str(r.rdata) for r in reply.rr] == ["192.0.2.1"]
            assert time.monotonic() - begun < allowed(5)
            assert len(first.questions()) >= 1
            assert len((await ask(server, "web.service.consul")).rr) == 1


async def test_a_server_that_is_not_there_costs_no_time(serve: Serve, upstream: Upstream) -> None:
    gone = Upstream()
    settings = recursors(gone, upstream) | {"recursor_timeout": 10.0}
    async with serve(catalog(), settings=settings) as server:
        begun = time.monotonic()
        assert (await ask(server, "x.example.org")).rr
        assert time.monotonic() - begun < allowed(5)


async def test_our_names_are_answered_while_others_wait(serve: Serve) -> None:
    async with Upstream(silent).running() as first:
        settings = recursors(first) | {"recursor_timeout": 1.0}
        async with serve(catalog(), settings=settings) as server:
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(ask(server, "x.example.org", extra=opt()))
                while not first.questions():
                    await asyncio.sleep(0.001)
                assert (await ask(server, "web.service.consul")).rr
                assert not waiting.done()
            reply = waiting.result()
            assert (code(reply), ede(reply)) == ("SERVFAIL", 23)
            again = await ask(server, "x.example.org", extra=opt())
            assert (code(again), ede(again)) == ("SERVFAIL", 22)
        assert len(first.questions()) == 1


async def test_nxdomain_is_final_and_kept_for_as_long_as_its_soa_says(
    serve: Serve, upstream: Upstream
) -> None:
    clock = FakeClock()
    first = Upstream(answering(rcode="NXDOMAIN", soa=SOA))
    settings = recursors(first, upstream)
    async with first.running(), serve(catalog(), settings=settings, clock=clock) as server:
        assert code(await ask(server, "n.example.org")) == "NXDOMAIN"
        await clock.advance(29)
        reply = await ask(server, "n.example.org")
        assert (code(reply), len(first.questions())) == ("NXDOMAIN", 1)
        assert reply.auth[0].ttl == 31
        await clock.advance(2)
        await ask(server, "n.example.org")
        assert len(first.questions()) == 2
        first.answer = answering(rcode="NXDOMAIN")
        for _ in range(2):
            assert code(await ask(server, "m.example.org")) == "NXDOMAIN"
        assert len(first.questions("m.")) == 2  # without SOA nothing is kept
    assert upstream.questions() == []


async def test_a_truncated_reply_is_asked_again_over_tcp_and_fitted_to_the_client(
    serve: Serve, upstream: Upstream
) -> None:
    lines = [f"big.example.org. 60 A 192.0.{n >> 8}.{n & 255}" for n in range(2, 102)]

    def truncating(query_: DNSRecord, proto: str) -> list[bytes]:
        if proto == "tcp":
            return answering(*lines)(query_, proto)
        reply = DNSRecord(DNSHeader(id=query_.header.id, qr=1, tc=1), q=query_.q)
        return [reply.pack()]

    upstream.answer = truncating
    async with serve(catalog(), settings=recursors(upstream)) as server:
        small = await ask(server, "big.example.org")
        assert (small.header.tc, small.rr) == (1, [])
        assert len((await ask(server, "big.example.org", tcp=True)).rr) == 100
    assert [proto for *_, proto in upstream.questions()] == ["udp", "tcp"]


async def test_a_server_that_knows_no_edns_is_asked_without(
    serve: Serve, upstream: Upstream
) -> None:
    def old(query_: DNSRecord, proto: str) -> list[bytes]:
        if query_.ar:
            return [DNSRecord(DNSHeader(id=query_.header.id, qr=1, rcode=1)).pack()]
        return answering("x.example.org. 60 A 192.0.2.1")(query_, proto)

    upstream.answer = old
    async with serve(catalog(), settings=recursors(upstream)) as server:
        assert (await ask(server, "x.example.org")).rr


async def test_what_nobody_asked_for_is_not_passed_on(serve: Serve, upstream: Upstream) -> None:
    upstream.answer = answering(
        "x.example.org. 60 CNAME y.example.org.",
        "y.example.org. 60 A 192.0.2.1",
        "bank.example. 60 A 203.0.113.66",
    )
    async with serve(catalog(), settings=recursors(upstream)) as server:
        reply = await ask(server, "x.example.org")
        assert [str(r.rname) for r in reply.rr] == ["x.example.org.", "y.example.org."]
        upstream.answer = silent
        assert upstream.questions("bank") == []


async def test_ports_and_ids_differ_and_case_when_wanted(serve: Serve, upstream: Upstream) -> None:
    settings = recursors(upstream) | {"mix_case": True}
    async with serve(catalog(), settings=settings) as server:
        names = [f"host-with-many-letters-{n}.example.org" for n in range(20)]
        upstream.answer = lambda q, p: answering(f"{str(q.q.qname).lower()} 60 A 192.0.2.1")(q, p)
        for name in names:
            assert (await ask(server, name)).rr
    assert len(upstream.ports) >= 19
    assert len(upstream.ids) >= 19
    asked = [name for name, *_ in upstream.questions()]
    assert all(name != name.lower() for name in asked)
    assert sorted(name.lower() for name in asked) == sorted(f"{name}." for name in names)


async def test_who_guesses_much_is_answered_by_asking_over_tcp(
    serve: Serve, upstream: Upstream
) -> None:
    def guess(query_: DNSRecord, proto: str) -> list[bytes]:
        if proto == "tcp":
            return answering("x.example.org. 60 A 192.0.2.1")(query_, proto)
        (lie,) = answering("x.example.org. 60 A 203.0.113.66")(query_, proto)
        return [((query_.header.id + n) % 65536).to_bytes(2) + lie[2:] for n in range(1, 61)]

    upstream.answer = guess
    async with serve(catalog(), settings=recursors(upstream)) as server:
        assert str((await ask(server, "x.example.org")).rr[0].rdata) == "192.0.2.1"
    assert [proto for *_, proto in upstream.questions()] == ["udp", "tcp"]


async def test_case_that_was_not_kept_is_no_answer(serve: Serve, upstream: Upstream) -> None:
    upstream.keeps_case = False
    settings = recursors(upstream) | {"mix_case": True, "recursor_timeout": 0.3}
    async with serve(catalog(), settings=settings) as server:
        assert code(await ask(server, "some-long-name-of-a-host.example.org")) == "SERVFAIL"


async def test_the_same_question_is_in_flight_once(serve: Serve, upstream: Upstream) -> None:
    upstream.answer = silent
    settings = recursors(upstream) | {"recursor_timeout": 0.5}
    async with serve(catalog(), settings=settings) as server, asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(ask(server, "x.example.org"))
    assert len(upstream.questions()) == 1


async def test_too_many_questions_at_once_are_refused(serve: Serve, upstream: Upstream) -> None:
    upstream.answer = silent
    settings = recursors(upstream) | {"recursor_timeout": 1.0, "max_concurrent_forwards": 2}
    async with serve(catalog(), settings=settings) as server:
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask(server, f"{n}.example.org")) for n in range(5)]
        codes = sorted(code(task.result()) for task in asking)
    assert codes == ["REFUSED"] * 3 + ["SERVFAIL"] * 2


async def test_an_ended_answer_is_given_only_when_nobody_answers(
    serve: Serve, upstream: Upstream
) -> None:
    clock = FakeClock()
    settings = recursors(upstream) | {"serve_stale": 600.0, "recursor_timeout": 0.3}
    async with serve(catalog(), settings=settings, clock=clock) as server:
        assert (await ask(server, "x.example.org")).rr[0].ttl == 60
        await clock.advance(61)
        assert (await ask(server, "x.example.org")).rr[0].ttl == 60  # fresh comes first
        await clock.advance(61)
        upstream.answer = silent
        reply = await ask(server, "x.example.org", extra=opt())
        assert (str(reply.rr[0].rdata), reply.rr[0].ttl, ede(reply)) == ("192.0.2.1", 30, 3)
        await clock.advance(601)
        assert code(await ask(server, "x.example.org")) == "SERVFAIL"


async def test_a_name_asked_again_near_its_end_is_renewed_before_it(
    serve: Serve, upstream: Upstream
) -> None:
    clock = FakeClock()
    async with serve(catalog(), settings=recursors(upstream), clock=clock) as server:
        await ask(server, "x.example.org")
        await clock.advance(55)
        assert (await ask(server, "x.example.org")).rr[0].ttl == 5
        async with asyncio.timeout(allowed(5)):
            while len(upstream.questions()) < 2:
                await asyncio.sleep(0.001)
            while (await ask(server, "x.example.org")).rr[0].ttl != 60:
                await asyncio.sleep(0.001)


async def test_a_server_that_leads_back_here_is_not_asked(serve: Serve) -> None:
    listen = Upstream().at
    settings = {"recursors": (str(listen),), "recursor_timeout": 0.3}
    async with serve(catalog(), str(listen), settings=settings) as server:
        recursion = server.service.recursion
        assert recursion is not None
        (itself,) = recursion.resolver.settings.upstreams
        async with asyncio.timeout(allowed(5)):
            while not itself.is_loop:
                await asyncio.sleep(0.001)
        assert code(await ask(server, "x.example.org")) == "SERVFAIL"


async def test_a_server_that_fails_is_left_out_until_it_answers_again(
    serve: Serve, upstream: Upstream
) -> None:
    async with Upstream(silent).running() as first:
        settings = recursors(first, upstream) | {"recursor_timeout": 0.1}
        async with serve(catalog(), settings=settings) as server:
            recursion = server.service.recursion
            assert recursion is not None
            state = recursion.resolver.settings.upstreams[0]
            for n in range(4):
                await ask(server, f"{n}.example.org")
            assert len(first.questions()) == 3
            first.answer = answering("x.example.org. 60 A 192.0.2.9")
            async with asyncio.timeout(15):
                while state.is_out:
                    await asyncio.sleep(0.01)
            assert str((await ask(server, "x.example.org")).rr[0].rdata) == "192.0.2.9"


async def test_a_stop_tells_who_waits(serve: Serve, upstream: Upstream) -> None:
    upstream.answer = silent
    async with asyncio.TaskGroup() as tasks:
        async with serve(catalog(), settings=recursors(upstream)) as server:
            waiting = tasks.create_task(ask(server, "x.example.org", tcp=True))
            while not upstream.questions():
                await asyncio.sleep(0.001)
        assert code(await waiting) == "SERVFAIL"
