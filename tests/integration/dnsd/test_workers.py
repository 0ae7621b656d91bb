"""Several processes on one port answer alike, are counted together and are started again."""

import asyncio
import os
import signal
import socket
from pathlib import Path

from dnslib import DNSRecord

from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from sidecar.exposition import text as exposition
from tests.integration.dnsd.conftest import Serve
from tests.support.asker import instance, query

SOURCES = 24
"""Enough source ports that the kernel gives some to each of three sockets (odds beyond 10^-3)."""


def catalog_of(*addresses: str) -> Catalog:
    catalog = Catalog()
    catalog.commit([instance(number=n, address=a) for n, a in enumerate(addresses)])
    catalog.mark_synced()
    return catalog


async def answers(server: DnsServer, name: str = "web.service.consul") -> list[list[str]]:
    """Ask from many ports; a query to a process that just died is asked again."""
    loop = asyncio.get_running_loop()
    found = []
    for _ in range(SOURCES):
        for _ in range(20):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(server.addresses[0])
                try:
                    await loop.sock_sendall(sock, query(name))
                    async with asyncio.timeout(1):
                        reply = DNSRecord.parse(await loop.sock_recv(sock, 4096))
                    break
                except (TimeoutError, OSError):
                    continue
        else:
            raise AssertionError("no answer")
        found.append([str(record.rdata) for record in reply.rr])
    return found


def children() -> list[int]:
    own = os.getpid()
    text = Path(f"/proc/self/task/{own}/children").read_text()
    return [int(pid) for pid in text.split() if b"dnsd.worker" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


async def until_all(server: DnsServer, expected: list[str]) -> None:
    async with asyncio.timeout(20):
        while any(found != expected for found in await answers(server)):
            await asyncio.sleep(0.02)


async def until(count: int) -> list[int]:
    async with asyncio.timeout(20):
        while len(found := await asyncio.to_thread(children)) != count:
            await asyncio.sleep(0.02)
    return found


def requests(server: DnsServer) -> float:
    lines = exposition().decode().splitlines()
    start = f'dnsd_dns_requests_total{{family="1",proto="udp",server="dns://{server.addresses[0]}"'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(start))


async def test_workers_follow_the_catalogue_and_are_counted_together(serve: Serve) -> None:
    catalog = catalog_of("10.0.0.1")
    async with serve(catalog, settings={"workers": 3}) as server:
        assert len(await until(2)) == 2
        assert server.addresses[0].port
        await until_all(server, ["10.0.0.1"])
        catalog.commit([instance(number=0, address="10.0.0.2")])
        await until_all(server, ["10.0.0.2"])
        before = requests(server)
        await answers(server)
        async with asyncio.timeout(20):
            while requests(server) < before + SOURCES:
                await asyncio.sleep(0.05)
    assert await asyncio.to_thread(children) == []


async def test_workers_take_new_settings(serve: Serve) -> None:
    async with serve(catalog_of("10.0.0.1"), settings={"workers": 2}) as server:
        settings = DnsSettings(listen="127.0.0.1:0", workers=2, domain="other")
        await server.reload(settings)
        async with asyncio.timeout(20):
            while not all(await answers(server, "web.service.other")):
                await asyncio.sleep(0.05)
        assert await until(1)


async def test_a_worker_that_ends_is_started_again(serve: Serve) -> None:
    async with serve(catalog_of("10.0.0.1"), settings={"workers": 2}) as server:
        (pid,) = await until(1)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while await asyncio.to_thread(children) in ([], [pid]):
                await asyncio.sleep(0.02)
        await until_all(server, ["10.0.0.1"])
