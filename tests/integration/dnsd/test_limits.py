"""What strangers get: little for little, not too often, more when they prove where they are."""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from dnsd.component import DnsServer
from dnsd.edns import COOKIE, option
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.exposition import text as exposition
from sidecar.runtime.clock import FakeClock
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, opt, query
from tests.support.pace import allowed

pytestmark = pytest.mark.usefixtures("reading")

CLIENT = b"\x01\x02\x03\x04\x05\x06\x07\x08"
NOBODY: dict[str, Any] = {"rrl_exempt": ("192.0.2.0/24",)}
"""Loopback counts as a stranger."""


def catalog_of(count: int) -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, count + 1)])
    catalog.mark_synced()
    return catalog


@contextmanager
def client(server: DnsServer) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(server.addresses[0])
        yield sock


async def ask(sock: socket.socket, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(allowed(5)):
        await loop.sock_sendall(sock, packet)
        return await loop.sock_recv(sock, 65535)


ERROR = query("marker.invalid", id_=0xFFFF)
ABSENT = query("marker.service.consul", id_=0xFFFF)
NODATA = query("web.service.consul", "AAAA", id_=0xFFFF)


async def burst(sock: socket.socket, packet: bytes, count: int, last: bytes = ERROR) -> list[bytes]:
    """Send many and return what came back until a reply to another kind of question."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        await loop.sock_sendall(sock, packet)
    replies: list[bytes] = []
    async with asyncio.timeout(allowed(5)):
        await loop.sock_sendall(sock, last)
        while (reply := await loop.sock_recv(sock, 65535))[:2] != b"\xff\xff":
            replies.append(reply)
    return replies


def cookie_of(reply: bytes) -> bytes:
    for record in DNSRecord.parse(reply).ar:
        if record.rtype == QTYPE.OPT:
            for one in record.rdata:
                if one.code == COOKIE:
                    return bytes(one.data)
    return b""


def limited(action: str) -> float:
    line = f'dnsd_rrl_total{{action="{action}"}} '
    lines = exposition().decode().splitlines()
    return sum(float(text.split()[-1]) for text in lines if text.startswith(line))


def rcode(reply: bytes) -> int:
    """Return the whole code, its upper bits from the OPT."""
    record = DNSRecord.parse(reply)
    upper = [r.edns_ttl >> 24 if hasattr(r, "edns_ttl") else r.ttl >> 24 for r in record.ar]
    return record.header.rcode | (upper[0] << 4 if upper else 0)


@pytest.mark.parametrize("kind", ["A", "SRV", "ANY"])
@pytest.mark.parametrize("extra", [b"", opt()])
async def test_a_stranger_gets_at_most_ten_times_what_he_sent(
    serve: Serve, kind: str, extra: bytes
) -> None:
    packet = query("web.service.consul", kind, extra=extra)
    async with serve(catalog_of(300), settings=NOBODY) as server:
        with client(server) as sock:
            for _ in range(3):
                reply = await ask(sock, packet)
                assert len(reply) <= 10 * len(packet)
                assert DNSRecord.parse(reply).header.tc
                assert bool(DNSRecord.parse(reply).ar) == bool(extra)
    async with serve(catalog_of(300)) as server:
        with client(server) as sock:
            own = DNSRecord.parse(await ask(sock, query("web.service.consul", kind, extra=opt())))
            assert own.rr


async def test_a_good_cookie_is_as_good_as_a_known_network(serve: Serve) -> None:
    plain = opt(options=option(COOKIE, CLIENT))
    async with serve(catalog_of(300), settings=NOBODY) as server:
        with client(server) as sock:
            first = await ask(sock, query("web.service.consul", extra=plain))
            assert not DNSRecord.parse(first).rr
            small = await ask(sock, query("absent.service.consul", extra=plain))
            good = cookie_of(small)
            assert good[:8] == CLIENT
            assert len(good) == 24
            again = query("web.service.consul", extra=opt(options=option(COOKIE, good)))
            reply = await ask(sock, again)
            assert len(reply) > 10 * len(again)
            assert DNSRecord.parse(reply).rr


async def test_replies_over_the_limit_are_dropped_and_every_second_says_use_tcp(
    serve: Serve,
) -> None:
    clock = FakeClock()
    settings = NOBODY | {"rrl_responses_per_second": 10}
    async with serve(catalog_of(1), settings=settings, clock=clock) as server:
        with client(server) as sock:
            gc.collect()  # servers that ended count until they are forgotten
            before = limited("dropped"), limited("slipped")
            replies = await burst(sock, query("web.service.consul"), 30)
            whole = [r for r in replies if DNSRecord.parse(r).rr]
            slipped = [r for r in replies if not DNSRecord.parse(r).rr]
            assert (len(whole), len(slipped)) == (10, 10)
            assert all(DNSRecord.parse(r).header.tc for r in slipped)
            assert limited("dropped") - before[0] == 10
            assert limited("slipped") - before[1] == 10
            # Other kinds have accounts of their own.
            assert DNSRecord.parse(await ask(sock, query("absent.service.consul"))).auth
            await clock.advance(10)
            assert len(await burst(sock, query("web.service.consul"), 5)) == 5
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        packet = query("web.service.consul")
        writer.write((len(packet).to_bytes(2) + packet) * 50)
        for _ in range(50):
            size = int.from_bytes(await reader.readexactly(2))
            assert DNSRecord.parse(await reader.readexactly(size)).rr  # TCP cannot be forged
        writer.close()


async def test_a_bad_cookie_over_the_limit_is_told_the_good_one(serve: Serve) -> None:
    settings = NOBODY | {"rrl_responses_per_second": 1, "rrl_slip": 0}
    bad = opt(options=option(COOKIE, CLIENT + b"\1\0\0\0" + bytes(12)))
    async with serve(catalog_of(1), settings=settings, clock=FakeClock()) as server:
        with client(server) as sock:
            replies = await burst(sock, query("web.service.consul", extra=bad), 4)
            assert [rcode(r) for r in replies] == [0, 23, 23, 23]
            good = opt(options=option(COOKIE, cookie_of(replies[-1])))
            replies = await burst(sock, query("web.service.consul", extra=good), 20, ABSENT)
            assert [rcode(r) for r in replies] == [0] * 20
            assert len(await burst(sock, query("web.service.consul"), 20, NODATA)) == 0


async def test_known_networks_have_no_limit(serve: Serve) -> None:
    async with serve(catalog_of(1), settings={"rrl_responses_per_second": 1}) as server:
        with client(server) as sock:
            assert len(await burst(sock, query("web.service.consul"), 50)) == 50


async def test_an_error_reply_is_never_longer_than_its_question(serve: Serve) -> None:
    async with serve(catalog_of(1), settings=NOBODY) as server:
        with client(server) as sock:
            for junk in (query("a.b")[:-2], query("a.b")[:13], query("a.b") + query("a.b")[:4]):
                reply = await ask(sock, junk)
                assert len(reply) <= len(junk)


async def test_settings_are_taken_without_closing_a_socket(serve: Serve) -> None:
    async with serve(catalog_of(3)) as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])

        async def over_tcp(name: str) -> DNSRecord:
            packet = query(name)
            writer.write(len(packet).to_bytes(2) + packet)
            size = int.from_bytes(await reader.readexactly(2))
            return DNSRecord.parse(await reader.readexactly(size))

        with client(server) as sock:
            first = await over_tcp("web.service.consul")
            settings = DnsSettings(domain="other", ttl=7.0, rrl_responses_per_second=3, **NOBODY)
            await server.reload(settings)
            assert RCODE[(await over_tcp("web.service.consul")).header.rcode] == "REFUSED"
            assert [r.ttl for r in (await over_tcp("web.service.other")).rr] == [7, 7, 7]
            assert len(await burst(sock, query("web.service.other"), 20)) < 20
            await server.reload(settings)
            await server.reload(DnsSettings(alt_domain=""))
            again = await over_tcp("web.service.consul")
            assert len(again.rr) == len(first.rr)
            assert len(await burst(sock, query("web.service.consul"), 20)) == 20
        writer.close()
