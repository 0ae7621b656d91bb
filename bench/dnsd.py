"""Queries per second and CPU per query of dnsd on loopback, by dnsperf.

    python -m bench.dnsd [--seconds 5] [--services 1000] [--instances 10] [--changes 0]
                         [--plain-transport] [--asyncio] [--case hot|mixed|srv|random]

The server runs in a process of its own on the first core, dnsperf on the last. CPU is the server
process's user and system time while dnsperf ran, so it holds whatever dnsperf's own speed.
"""

import argparse
import asyncio
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

from dnsd.cache import Responder
from dnsd.component import DnsServer
from dnsd.safely import answer_safely
from dnsd.tallies import Channel
from sidecar.catalog.changes import Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import DnsSettings

CASES = ("hot", "mixed", "srv", "random")


def main() -> int:
    """Run one case, or all."""
    parser = argparse.ArgumentParser(prog="bench.dnsd")
    parser.add_argument("--seconds", type=int, default=4, choices=range(1, 11))
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=10)
    parser.add_argument("--changes", type=float, default=0.0, help="catalogue changes per second")
    parser.add_argument("--case", choices=CASES, help="default: all")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--asyncio", action="store_true", help="asyncio's own loop, not uvloop")
    parser.add_argument(
        "--transport", action="store_true", help="a datagram transport, not the read loop"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args)
        return 0
    if shutil.which("dnsperf") is None:
        print("dnsperf is absent: nothing measured (Debian package: dnsperf)")
        return 1
    for case in [args.case] if args.case else CASES:
        measure(args, case)
    return 0


def measure(args: argparse.Namespace, case: str) -> None:
    """Start a server, load it, print one line."""
    cores = sorted(os.sched_getaffinity(0))
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.dnsd", "--serve", *sys.argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as queries:
            queries.writelines(f"{line}\n" for line in questions(case, args.services))
            queries.flush()
            before = server.stdout.readline()
            figures = dnsperf(queries.name, port, cores[-1], args)
        server.stdin.close()
        after = server.stdout.readline()
    finally:
        server.terminate()
        server.wait(5)
    cpu = float(after.split()[0]) - float(before.split()[0])
    rate, completed, lost = figures
    per_query = cpu / completed * 1e6 if completed else float("nan")
    print(
        f"{case:7} {rate:9.0f} q/s  {per_query:6.2f} us CPU/query  lost {lost}"
        f"  rss {after.split()[1]} MB",
        flush=True,
    )


def questions(case: str, services: int) -> Iterator[str]:
    """Yield dnsperf's input lines."""
    draw = random.Random(1)
    match case:
        case "hot":
            yield "svc-7.service.consul A"
        case "srv":
            for number in range(100):
                yield f"svc-{number % services}.service.consul SRV"
        case "mixed":
            for _ in range(5000):
                kind = draw.choice(("A", "A", "AAAA", "SRV"))
                yield f"svc-{draw.randrange(services)}.service.consul {kind}"
        case _:
            for _ in range(300_000):
                yield f"{draw.randbytes(6).hex()}.service.consul A"


def dnsperf(queries: str, port: int, core: int, args: argparse.Namespace) -> tuple[float, int, int]:
    """Return queries per second, completed and lost."""
    mode = ["-m", "tcp", "-c", "4"] if args.tcp else ["-c", "4"]
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-e"]
    done = subprocess.run(
        ["taskset", "-c", str(core), *command, "-l", str(args.seconds), *mode],
        capture_output=True,
        text=True,
        check=True,
    )
    rate, completed, lost = (
        re.search(pattern, done.stdout)
        for pattern in (r"per second:\s+([\d.]+)", r"completed:\s+(\d+)", r"lost:\s+(\d+)")
    )
    assert rate
    assert completed
    assert lost
    return float(rate[1]), int(completed[1]), int(lost[1])


# --- the server process ----------------------------------------------------------------------


def serve(args: argparse.Namespace) -> None:
    """Serve on the first core until stdin ends; print the port and CPU seconds twice."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if args.asyncio:
        asyncio.run(_serve(args))
    else:
        uvloop.run(_serve(args))


def _instance(service: int, number: int, port: int = 8080) -> Instance:
    return Instance(
        id=InstanceId(f"i{number}"),
        service=f"svc-{service}",
        node="node-1",
        address=f"10.{service >> 8}.{service & 255}.{number + 1}",
        port=port,
    )


async def _serve(args: argparse.Namespace) -> None:
    catalog = Catalog()
    catalog.commit(
        Put(_instance(service, number))
        for service in range(args.services)
        for number in range(args.instances)
    )
    catalog.mark_synced()
    server = DnsServer(catalog, DnsSettings(listen="127.0.0.1:0"), node_name="node-1")
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run(ready.set))
        await ready.wait()
        port = server.addresses[0].port
        if args.transport:
            responder: Responder = server._responder  # noqa: SLF001 - a rival way in
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(responder), local_addr=("127.0.0.1", 0)
            )
            port = transport.get_extra_info("sockname")[1]
        print(port, flush=True)
        print(*_usage(), flush=True)
        changing = tasks.create_task(_change(catalog, args))
        await asyncio.to_thread(sys.stdin.read)
        print(*_usage(), flush=True)
        changing.cancel()
        serving.cancel()


async def _change(catalog: Catalog, args: argparse.Namespace) -> None:
    number = 0
    while args.changes:
        await asyncio.sleep(1 / args.changes)
        number += 1
        catalog.commit([Put(_instance(number % args.services, 0, 9000 + number % 1000))])


def _usage() -> tuple[float, int]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return used.ru_utime + used.ru_stime, pages * resource.getpagesize() >> 20


class _Datagrams(asyncio.DatagramProtocol):
    """The rival: one call per datagram by the loop's own transport."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._channel = Channel("dns://rival", "udp", "1")
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        replies = self._responder.replies()
        entry = replies.hot(self._channel).get(data[2:])
        reply = entry.reply(data) if entry else answer_safely(replies, data, self._channel)
        if reply is not None:
            self._transport.sendto(reply, addr)


if __name__ == "__main__":
    raise SystemExit(main())
