"""What one client's EDNS options and the site's limits do to a reply."""

from typing import Any

import dns.edns
import dns.message
import pytest
from dnslib import RCODE, DNSRecord

from dnsd import cookies, edns
from dnsd.tallies import Channel
from tests.support.asker import Asker, instance, node, opt, query

HOME = b"\xc6\x33\x64\x64"
SECRET = bytes(range(16))
CLIENT = b"12345678"


def asker(**site: Any) -> Asker:
    settings: dict[str, Any] = {
        "nsid": "n1",
        "cookie_secrets": (SECRET,),
        "now": lambda: 1.6e9,
        "idle": 10.0,
    }
    return Asker(instance(), **(settings | site))


def options(server: Asker, data: bytes, **how: Any) -> dict[int, bytes]:
    """Return the options of the reply to a query with these."""
    octets = server.send(query("web.service.consul", extra=opt(options=data)), client=HOME, **how)
    assert octets is not None
    return {option.code: option.data for option in DNSRecord.parse(octets).ar[-1].rdata}


def test_a_name_of_the_server_goes_to_who_asks_for_it() -> None:
    assert options(asker(), edns.option(edns.NSID)) == {3: b"n1"}
    assert options(asker(nsid=""), edns.option(edns.NSID)) == {}
    assert options(asker(), edns.option(65001)) == {}


def test_a_cookie_gets_a_cookie() -> None:
    found = options(asker(), edns.option(edns.COOKIE, CLIENT))[edns.COOKIE]
    assert found[:8] == CLIENT
    good = cookies.verdict_of(found, HOME, [SECRET], 1.6e9)
    assert good is cookies.Verdict.GOOD
    again = options(asker(), edns.option(edns.COOKIE, found))
    assert again == {edns.COOKIE: found}
    assert options(asker(cookie_secrets=()), edns.option(edns.COOKIE, CLIENT)) == {}
    assert options(asker(now=None), edns.option(edns.COOKIE, CLIENT)) == {}


def test_a_cookie_of_wrong_length_is_a_format_error_no_longer_than_the_query() -> None:
    packet = query("web.service.consul", extra=opt(options=edns.option(edns.COOKIE, b"1234567")))
    server = asker()
    octets = server.send(packet)
    assert octets is not None
    assert len(octets) <= len(packet)
    assert RCODE[DNSRecord.parse(octets).header.rcode] == "FORMERR"
    assert server.udp.formerr == {"cookie_length": 1}


def test_a_query_may_ask_for_a_cookie_alone() -> None:
    packet = b"\0\1\1\0" + bytes(7) + b"\1" + opt(options=edns.option(edns.COOKIE, CLIENT))
    octets = asker().send(packet, client=HOME)
    assert octets is not None
    reply = dns.message.from_wire(octets)
    assert (reply.rcode(), reply.question) == (0, [])
    assert [option.otype for option in reply.options] == [edns.COOKIE]
    for bare in (opt(), opt(options=edns.option(edns.NSID))):
        octets = asker().send(b"\0\1\1\0" + bytes(7) + b"\1" + bare)
        assert octets is not None
        assert octets[3] & 15 == 1


def test_a_subnet_is_answered_as_not_used() -> None:
    data = b"\0\1\x18\0\x0a\1\2"
    assert options(asker(), edns.option(edns.SUBNET, data)) == {edns.SUBNET: data}


def test_keepalive_is_for_connections_only() -> None:
    data = edns.option(edns.KEEPALIVE)
    assert options(asker(), data, tcp=True) == {edns.KEEPALIVE: b"\0\x64"}
    assert options(asker(), data) == {}


@pytest.mark.parametrize("kind", ["A", "SRV", "AAAA", "TXT"])
def test_padding_fills_blocks_where_nobody_sees_the_inside(kind: str) -> None:
    server = Asker(*(instance(number=n) for n in range(1, 30)))
    packet = query("web.service.consul", kind, extra=opt(options=edns.option(edns.PADDING)))
    for proto in ("tls", "https"):
        channel = Channel("dns://x", proto, "1")
        octets = server.responder.replies().reply(packet, channel)
        assert octets is not None
        assert len(octets) % 468 == 0
        assert dns.message.from_wire(octets).options[0].otype == dns.edns.OptionType.PADDING
    octets = server.send(packet, tcp=True)
    assert octets is not None
    assert dns.message.from_wire(octets).options == ()


def test_recursion_is_offered_to_whom_it_is_for() -> None:
    server = Asker(instance())
    for recursive in (False, True):
        channel = Channel("dns://x", "udp", "1", recursive=recursive)
        for _ in range(2):
            octets = server.responder.replies().reply(query("web.service.consul"), channel)
            assert octets is not None
            assert DNSRecord.parse(octets).header.ra == recursive


# --- limits ----------------------------------------------------------------------------------


def many(**site: Any) -> Asker:
    changes = [instance(number=n) for n in range(1, 11)]
    mixed = [instance("mixed", n, port=80 + n, address="10.0.0.1") for n in range(1, 11)]
    return Asker(*changes, *mixed, **site)


def counts(server: Asker, kind: str, name: str = "web", **how: Any) -> tuple[int, int, int]:
    """Return answers, additional records and TC."""
    reply = server.ask(f"{name}.service.consul", kind, **how)
    additional = [record for record in reply.ar if record.rtype != 41]
    return len(reply.rr), len(additional), reply.header.tc


def test_addresses_may_be_limited_for_everybody() -> None:
    server = many(most_addresses=4)
    assert counts(server, "A") == (4, 0, 0)
    assert counts(server, "A", tcp=True) == (4, 0, 0)
    assert counts(server, "SRV", tcp=True) == (10, 10, 0)
    seen = {str(r.rdata) for _ in range(40) for r in server.ask("web.service.consul").rr}
    assert len(seen) == 10


def test_answers_to_old_clients_may_be_limited() -> None:
    server = many(most_udp_answers=3)
    for name in ("web.service.consul", "WEB.service.consul"):
        assert len(server.ask(name).rr) == 3
        assert server.ask(name).header.tc == 1
    assert counts(server, "SRV") == (3, 3, 1)
    assert counts(server, "SRV", "mixed") == (3, 0, 1)
    assert counts(server, "A", extra=opt()) == (10, 0, 0)
    assert counts(server, "A", tcp=True) == (10, 0, 0)
    assert server.ask("Web.service.consul", extra=opt()).header.tc == 0


def test_shortening_may_be_silent() -> None:
    server = Asker(*(instance(number=n) for n in range(1, 60)), tells_truncation=False)
    for name in ("web.service.consul", "Web.service.consul"):
        reply = server.ask(name)
        assert (len(reply.rr) < 59, reply.header.tc) == (True, 0)


@pytest.mark.parametrize("kind", ["A", "SRV", "AAAA", "TXT"])
def test_names_may_be_written_in_full_and_as_asked(kind: str) -> None:
    server = Asker(
        node("node-1", "10.9.9.9", k="v"), *(instance(number=n) for n in (1, 2)), compresses=False
    )
    for name in ("web.service.consul", "WeB.service.consul"):
        for extra in (b"", opt()):
            octets = server.send(query(name, kind, extra=extra), tcp=True)
            assert octets is not None
            assert b"\xc0" not in octets
            reply = dns.message.from_wire(octets)
            assert all(str(rrset.name) == name + "." for rrset in reply.answer)
    firsts = {str(server.ask("web.service.consul").rr[0].rdata) for _ in range(40)}
    assert len(firsts) == 2


def test_mixed_case_goes_by_the_same_limits() -> None:
    server = Asker(*(instance(number=n) for n in range(1, 60)))
    sizes = {
        len(server.send(query("Web.service.consul", extra=opt(payload))) or b"")
        for payload in (512, 700, 1232, 700, 4000)
    }
    assert sizes == {len(server.send(query("web.service.consul", extra=opt(p))) or b"")
                     for p in (512, 700, 1232)}  # fmt: skip


def test_addresses_in_the_clients_network_may_come_first() -> None:
    server = Asker(
        *(instance(number=n, address=f"10.0.{n}.1") for n in range(1, 9)),
        *(instance("six", n, address=f"2001:db8:0:{n}::1") for n in range(1, 5)),
        near=True,
    )

    def firsts(name: str, client: bytes, **how: Any) -> set[str]:
        found = set()
        for _ in range(30):
            kind = "AAAA" if name.startswith("six") else "A"
            octets = server.send(query(name, kind), client=client, **how)
            assert octets is not None
            found.add(str(DNSRecord.parse(octets).rr[0].rdata))
        return found

    assert firsts("web.service.consul", b"\x0a\0\3\x63") == {"10.0.3.1"}
    assert firsts("web.service.consul", b"\x0a\0\3\x63", tcp=True) == {"10.0.3.1"}
    assert len(firsts("web.service.consul", b"\xc0\0\2\1")) == 8
    assert len(firsts("web.service.consul", b"")) == 8
    six = b"\x20\1\x0d\xb8\0\0\0\2" + b"\7" * 8
    assert firsts("six.service.consul", six) == {"2001:db8:0:2::1"}
    assert len(server.ask("web.service.consul", "SRV").rr) == 8
    few = many(near=True, most_addresses=3)
    assert counts(few, "A", tcp=True) == (3, 0, 0)
