"""UDP many at a time and one by one: what clients get is the same."""

import asyncio
import ctypes
import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from dnslib import DNSRecord

from dnsd import bulk
from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.exposition import text as exposition
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, opt, query
from tests.support.ports import free_port


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 4)])
    catalog.commit([instance(service=f"s{n}", number=n) for n in range(1, 4)])
    catalog.mark_synced()
    return catalog


@contextmanager
def client(server: DnsServer, host: str = "", own_port: int = 0) -> Iterator[socket.socket]:
    at = server.addresses[0]
    family = socket.AF_INET6 if ":" in (host or at.host) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        if own_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", own_port))
        sock.connect((host or at.host, at.port))
        yield sock


async def received(sock: socket.socket, count: int) -> list[bytes]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        return [await loop.sock_recv(sock, 65535) for _ in range(count)]


async def settled(sock: socket.socket) -> None:
    """Ask something and wait for it: what was sent before has been read."""
    await asyncio.get_running_loop().sock_sendall(sock, query("absent.service.consul", id_=0xFFFF))
    while (await received(sock, 1))[0][:2] != b"\xff\xff":
        pass


def dropped(reason: str) -> float:
    line = f'dnsd_dns_dropped_total{{reason="{reason}"}} '
    lines = exposition().decode().splitlines()
    return sum(float(text.split()[-1]) for text in lines if text.startswith(line))


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"])
@pytest.mark.parametrize("settings", [{}, {"rrl_responses_per_second": 10_000}], ids=["", "care"])
async def test_each_client_gets_the_replies_to_its_own_questions(
    serve: Serve, catalog: Catalog, host: str, settings: dict[str, Any]
) -> None:
    kinds = [("web", "A"), ("web", "SRV"), ("s1", "A"), ("s2", "A"), ("s3", "AAAA"), ("no", "A")]
    to = "::1" if ":" in host else "127.0.0.1"
    async with serve(catalog, f"{host}:0", settings=settings) as server:
        with ExitStack() as stack:
            clients = [stack.enter_context(client(server, to)) for _ in range(5)]
            for n in range(120):
                for number, sock in enumerate(clients):
                    name, kind = kinds[(n + number) % len(kinds)]
                    sock.send(query(f"{name}.service.consul", kind, id_=number << 8 | n))
                if n % 40 == 39:
                    await asyncio.sleep(0)
            for number, sock in enumerate(clients):
                replies = [DNSRecord.parse(one) for one in await received(sock, 120)]
                assert sorted(r.header.id for r in replies) == [number << 8 | n for n in range(120)]
                for reply in replies:
                    name, _ = kinds[((reply.header.id & 255) + number) % len(kinds)]
                    assert str(reply.q.qname) == f"{name}.service.consul."
                    assert {"web": 3, "no": 0}.get(name, int(reply.q.qtype == 1)) == len(reply.rr)


@pytest.mark.usefixtures("reading")
async def test_replies_to_a_wildcard_come_from_the_address_asked_also_among_others(
    serve: Serve, catalog: Catalog
) -> None:
    async with serve(catalog, "0.0.0.0:0") as server:
        with ExitStack() as stack:
            # One address and port asks two of ours: the ways differ in that only.
            port = free_port()
            first = stack.enter_context(client(server, "127.0.0.7", port))
            second = stack.enter_context(client(server, "127.0.0.8", port))
            for n in range(64):
                for sock in (first, second):
                    sock.send(query("web.service.consul", id_=n))
            for sock in (first, second):  # connected: nothing from elsewhere is received
                assert len({reply[:2] for reply in await received(sock, 64)}) == 64


@pytest.mark.usefixtures("reading")
async def test_a_query_as_long_as_may_be_is_answered_and_a_longer_one_is_cut(
    serve: Serve, catalog: Catalog
) -> None:
    async with serve(catalog) as server:
        with client(server) as sock:
            packet = query("web.service.consul")
            sock.send(packet + bytes(4096 - len(packet)))
            sock.send(packet[:-1])
            padded = query("web.service.consul", extra=opt(options=b"\0\x0c" + bytes(2)))
            sock.send(padded + bytes(8000))
            replies = [DNSRecord.parse(reply) for reply in await received(sock, 3)]
            assert sorted((r.header.rcode, len(r.rr)) for r in replies) == [(0, 3), (0, 3), (1, 0)]


@pytest.mark.usefixtures("reading")
async def test_replies_that_cannot_be_sent_are_counted_and_the_others_are_sent(
    serve: Serve, catalog: Catalog
) -> None:
    async with serve(catalog, "0.0.0.0:0") as server:
        port = server.addresses[0].port
        gc.collect()  # servers that ended count until they are forgotten
        before = dropped("send")
        with client(server, "127.0.0.1") as sock, forger() as odd:
            for _ in range(3):
                sock.send(query("web.service.consul"))
                odd(port, query("web.service.consul"))
            assert len(await received(sock, 3)) == 3
            await settled(sock)
            while dropped("send") < before + 3:  # a busy kernel may lose what is forged
                odd(port, query("web.service.consul"))
                await settled(sock)
        assert dropped("send") == before + 3


@contextmanager
def forger() -> Iterator[Any]:
    """Yield what sends a question whose reply no route leads to."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:

        def send(port: int, payload: bytes) -> None:
            size = 28 + len(payload)
            udp = b"\x30\x39" + port.to_bytes(2) + (size - 20).to_bytes(2) + b"\0\0" + payload
            addresses = socket.inet_aton("255.255.255.255") + socket.inet_aton("127.0.0.1")
            head = b"\x45\0" + size.to_bytes(2) + b"\0\0\0\0\x40\x11\0\0" + addresses
            raw.sendto(head + udp, ("127.0.0.1", port))

        yield send


async def test_a_kernel_that_does_not_know_segments_gets_none(
    serve: Serve, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_can_join", lambda _: False)
    async with serve(catalog) as server:
        with client(server) as sock:
            for n in range(200):
                sock.send(query("web.service.consul", id_=n))
            assert len({reply[:2] for reply in await received(sock, 200)}) == 200


async def test_where_replies_cannot_be_joined_on_the_way_they_go_one_by_one(
    serve: Serve, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_receive, real_send = bulk._calls()
    calls: list[int] = []

    def send(fd: int, headers: ctypes.c_void_p, count: int, flags: int) -> int:
        """Refuse what has segments, as a device does that cannot cut (EIO)."""
        calls.append(count)
        words = ctypes.cast(headers, ctypes.POINTER(ctypes.c_uint64))
        plain = next((n for n in range(count) if words[n * 8 + 5]), count)
        return real_send(fd, headers, plain, flags) if plain else -1

    monkeypatch.setattr(bulk, "_calls", lambda: (real_receive, send))
    async with serve(catalog) as server:
        with client(server) as sock, client(server) as other:
            other.send(query("s1.service.consul"))
            for n in range(200):
                sock.send(query("web.service.consul", id_=n))
            assert len({reply[:2] for reply in await received(sock, 200)}) == 200
            assert len(await received(other, 1)) == 1
    assert calls


class _Poor:
    """A C library that is short of calls."""

    def __init__(self, *has: str) -> None:
        for name in has:
            setattr(self, name, lambda *_: -1)


@pytest.mark.parametrize(
    ("module", "library", "size"),
    [
        ("dnsd.bulk", _Poor(), 4),
        ("dnsd.bulk", _Poor(), 8),
        ("dnsd.pauses", _Poor(), 8),
        ("dnsd.pauses", _Poor("timerfd_create", "timerfd_settime"), 8),
    ],
    ids=["32 bits", "no calls", "no timers", "no timer left"],
)
async def test_where_the_system_lacks_something_datagrams_are_read_one_by_one(
    serve: Serve,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    library: _Poor,
    size: int,
) -> None:
    class Poor:
        c_void_p = ctypes.c_void_p
        CDLL = staticmethod(lambda _: library)
        sizeof = staticmethod(lambda _: size)

    monkeypatch.setattr(f"{module}.ctypes", Poor)
    async with serve(catalog) as server:
        with client(server) as sock:
            for n in range(100):
                sock.send(query("web.service.consul", id_=n))
            assert len({reply[:2] for reply in await received(sock, 100)}) == 100


async def test_more_than_the_buffers_hold_goes_out_in_turns() -> None:
    with ExitStack() as stack:
        own, other = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        own.bind(("127.0.0.1", 0))
        own.setblocking(False)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        other.connect(own.getsockname())
        other.settimeout(5)
        other.send(b"who")
        buffers = bulk.Bulk(own, tells_destination=False)
        assert buffers.receive() == [3]
        ((way,),) = buffers.ways(1)
        sent = {(way, size): [bytes(size)] for size in range(4000, 4100)}
        assert list(buffers.send(sent)) == []
        assert sorted(len(other.recv(8192)) for _ in sent) == list(range(4000, 4100))
