"""UDP and TCP as clients meet them: pipelining, limits, junk, shutdown."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop
from dnslib import DNSRecord

from dnsd.cache import Replies
from dnsd.component import DnsServer
from dnsd.connections import Limits
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.errors import AddressInUse
from sidecar.metrics import exposition
from sidecar.runtime.clock import FakeClock
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, query
from tests.support.pace import allowed

PACKET = query("web.service.consul")


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 4)])
    catalog.mark_synced()
    return catalog


async def connect(server: DnsServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.addresses[0])


async def receive(reader: asyncio.StreamReader) -> DNSRecord:
    async with asyncio.timeout(allowed(5)):
        size = int.from_bytes(await reader.readexactly(2))
        return DNSRecord.parse(await reader.readexactly(size))


def framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2) + packet


async def closed(reader: asyncio.StreamReader) -> None:
    """Wait for the end, by a close or a reset."""
    async with asyncio.timeout(allowed(5)):
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionResetError:
            pass


async def turns(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(allowed(5)):
        while not condition():
            await asyncio.sleep(0.001)


def udp(server: DnsServer) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.connect(server.addresses[0])
    return sock


async def udp_ask(sock: socket.socket, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(allowed(5)):
        await loop.sock_sendall(sock, packet)
        return await loop.sock_recv(sock, 4096)


async def test_pipelined_queries_are_all_answered(serve: Serve, catalog: Catalog) -> None:
    async with serve(catalog) as server:
        reader, writer = await connect(server)
        ids = range(500)
        writer.write(b"".join(framed(query("web.service.consul", id_=n)) for n in ids))
        writer.write_eof()
        assert [(await receive(reader)).header.id for _ in ids] == list(ids)
        await closed(reader)
        writer.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_both_loops_serve(serve: Serve, catalog: Catalog, run: Callable[..., None]) -> None:
    async def scene() -> None:
        await test_pipelined_queries_are_all_answered(serve, catalog)
        await test_a_burst_is_answered_in_full(serve, catalog)
        await test_a_stop_ends_connections_and_frees_the_port(serve, catalog)

    run(scene())


async def test_a_query_may_come_octet_by_octet(serve: Serve, catalog: Catalog) -> None:
    async with serve(catalog) as server:
        reader, writer = await connect(server)
        for octet in framed(PACKET):
            writer.write(bytes((octet,)))
            await asyncio.sleep(0)
        assert len((await receive(reader)).rr) == 3
        writer.close()


@pytest.mark.parametrize("junk", [b"\0\0", b"\0\x0bxxxxxxxxxxx"])
async def test_a_message_too_short_closes(serve: Serve, catalog: Catalog, junk: bytes) -> None:
    async with serve(catalog) as server:
        reader, writer = await connect(server)
        writer.write(framed(PACKET) + junk + framed(PACKET))
        assert len((await receive(reader)).rr) == 3
        await closed(reader)
        writer.close()


@pytest.mark.usefixtures("reading")
async def test_a_response_is_never_answered(serve: Serve, catalog: Catalog) -> None:
    async with serve(catalog) as server:
        reader, writer = await connect(server)
        writer.write(framed(query("web.service.consul", flags=0x8000)) + framed(PACKET))
        assert (await receive(reader)).header.id == 0x1234
        writer.close()
        with udp(server) as sock:
            sock.send(query("web.service.consul", flags=0x8000, id_=1))
            assert (await udp_ask(sock, PACKET))[:2] == b"\x12\x34"


async def test_an_idle_connection_is_closed(serve: Serve, catalog: Catalog) -> None:
    clock = FakeClock()
    async with serve(catalog, clock=clock) as server:
        reader, writer = await connect(server)
        for _ in range(2):
            writer.write(framed(PACKET))
            await receive(reader)
            await clock.advance(9)
        writer.write(b"\0")  # a dribble is no query
        await clock.advance(2)
        await closed(reader)
        writer.close()


async def test_over_the_limit_the_one_idle_longest_goes(serve: Serve, catalog: Catalog) -> None:
    for limits in (Limits(connections=2), Limits(per_client=2)):
        async with serve(catalog, limits=limits) as server:
            first, second = await connect(server), await connect(server)
            for reader, writer in (second, first):
                writer.write(framed(PACKET))
                await receive(reader)
            third = await connect(server)
            await closed(second[0])
            for reader, writer in (first, third):
                writer.write(framed(PACKET))
                assert len((await receive(reader)).rr) == 3
            for _, writer in (first, second, third):
                writer.close()


async def test_a_client_that_does_not_read_is_cut_off(serve: Serve) -> None:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 1000)])
    clock = FakeClock()
    async with serve(catalog, clock=clock, limits=Limits(idle=1000, stalled=5)) as server:
        with await flood(server):
            assert gauge("dnsd_tcp_connections") == 1
            await clock.advance(4)
            assert gauge("dnsd_tcp_connections") == 1
            await clock.advance(2)
            await turns(lambda: gauge("dnsd_tcp_connections") == 0)


async def flood(server: DnsServer) -> socket.socket:
    """Ask over TCP for far more than any buffer holds, and read nothing."""
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, server.addresses[0])
    sock.send(framed(query("web.service.consul", "SRV")) * 1000)
    await asyncio.sleep(0.2)
    return sock


def gauge(name: str) -> float:
    lines = exposition().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))


async def test_a_client_that_reads_late_gets_everything(serve: Serve) -> None:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 1000)])
    async with serve(catalog, clock=FakeClock()) as server:
        reader, writer = await connect(server)
        writer.write(framed(query("web.service.consul", "SRV")) * 200)
        writer.write_eof()
        await asyncio.sleep(0.05)
        for _ in range(200):
            size = int.from_bytes(await reader.readexactly(2))
            assert (await reader.readexactly(size))[6:8] == b"\x03\xe7"  # 999 answers
        await closed(reader)
        writer.close()


async def test_a_stop_ends_connections_and_frees_the_port(serve: Serve, catalog: Catalog) -> None:
    async with serve(catalog) as server:
        reader, writer = await connect(server)
        writer.write(framed(PACKET))
        await receive(reader)
        at = server.addresses[0]
    await closed(reader)
    writer.close()
    async with serve(catalog, str(at)) as server:
        assert server.addresses == (at,)
        rival = DnsServer(catalog, DnsSettings(listen=str(at)), node_name="node-1")
        with pytest.raises(AddressInUse, match="--dns"):
            await rival.run(lambda: None)


@pytest.mark.usefixtures("reading")
async def test_a_defect_costs_one_query_only(
    serve: Serve, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    async with serve(catalog) as server:
        with udp(server) as sock, monkeypatch.context() as patch:
            patch.setattr(Replies, "miss", broken)
            reply = DNSRecord.parse(await udp_ask(sock, PACKET))
            assert (reply.header.id, reply.header.rcode) == (0x1234, 2)
            patch.undo()
            assert len(DNSRecord.parse(await udp_ask(sock, PACKET)).rr) == 3
        assert gauge("dnsd_panics_total") >= 1


@pytest.mark.usefixtures("reading")
async def test_a_burst_is_answered_in_full(serve: Serve, catalog: Catalog) -> None:
    async with serve(catalog) as server:
        with udp(server) as sock:
            for n in range(200):
                sock.send(query("web.service.consul", id_=n))
            seen: set[bytes] = set()
            async with asyncio.timeout(allowed(5)):
                while len(seen) < 200:
                    reply = await asyncio.get_running_loop().sock_recv(sock, 512)
                    seen.add(reply[:2])


@pytest.mark.usefixtures("reading")
async def test_services_that_answer_anything_get_no_reply(serve: Serve, catalog: Catalog) -> None:
    try:
        odd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        odd.bind(("127.0.0.1", 19))
    except PermissionError:
        pytest.skip("binding port 19 needs a privilege")
    for host in ("127.0.0.1", "0.0.0.0"):
        async with serve(catalog, f"{host}:0") as server:
            port = server.addresses[0].port
            with udp(server) as sock:
                odd.sendto(PACKET, ("127.0.0.1", port))
                await udp_ask(sock, PACKET)  # so what came before it was read
    odd.setblocking(False)
    with odd, pytest.raises(BlockingIOError):
        odd.recv(512)


async def test_a_stop_does_not_wait_for_who_never_reads(serve: Serve) -> None:
    catalog = Catalog()
    catalog.commit([instance(number=n) for n in range(1, 1000)])
    loop = asyncio.get_running_loop()
    async with serve(catalog) as server:
        sock = await flood(server)
        stopped = loop.time()
    assert 0.9 < loop.time() - stopped < allowed(3)
    assert gauge("dnsd_tcp_connections") == 0
    sock.close()
