"""Failed requests while 5 of 10 endpoints are replaced again and again: HAProxy and nginx in turn.

Each replacement is the one of a planned stop: the new endpoint is there, the old one drains, and it
ends when the load balancer says that nothing is in flight. nginx takes changes by reloads, which
close idle connections of clients; so it is also loaded with a connection for each request, and its
loss with kept connections stands beside that of plain HUPs at the same pace with nothing changed.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from sidecar.catalog.changes import Drop, Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import LbSettings
from templater.child import find_program
from templater.component import LoadBalancer
from templater.names import Address, Port, SocketAddress
from templater.nginx.directory import CONFIG, SOCKET, NginxDirectory
from templater.nginx.place import place_of
from templater.nginx.process import Nginx, asked_build
from templater.nginx.render import Renderer
from templater.routes import routes_of
from templater.telemetry import APPLIES
from tests.support.load import Load
from tests.support.ports import free_port

ENDPOINTS, REPLACED = 10, 5
HOST = "web.localhost"
Kind = Literal["haproxy", "nginx"]


class Fleet:
    """Endpoints in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk to the process by its pipes."""
        self._process = process
        self._lock = asyncio.Lock()

    async def _told(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(f"{line}\n".encode())
            return (await self._process.stdout.readline()).decode().strip()

    async def open(self) -> int:
        """Start an endpoint, return its port."""
        return int(await self._told("open"))

    async def close(self, port: int) -> None:
        """End an endpoint at once."""
        await self._told(f"close {port}")


async def endpoints() -> None:
    """Serve what standard input asks for, until it ends (in a process of its own)."""
    servers: dict[int, asyncio.Server] = {}
    writers: dict[int, set[asyncio.StreamWriter]] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        writers.setdefault(port, set()).add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, wait = head.split(b" ", 2)[1].partition(b"?")
                await asyncio.sleep(int(wait or b"0") / 1000)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writers.get(port, set()).discard(writer)
        writer.close()

    while line := await asyncio.to_thread(sys.stdin.readline):
        word, _, text = line.strip().partition(" ")
        if word == "open":
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            servers[port] = server
            print(port, flush=True)
        else:
            servers.pop(int(text)).close()
            for writer in writers.pop(int(text), set()):
                writer.transport.abort()
            print("closed", flush=True)


def load(options: argparse.Namespace) -> None:
    """Load a port and print what came of it (in a process of its own)."""
    with Load(
        options.port,
        HOST,
        clients=options.clients,
        path=options.path,
        keep_alive=options.keep_alive,
    ) as traffic:
        time.sleep(options.seconds)
    print(json.dumps({"total": traffic.total, "failures": traffic.failures}))


async def _child(*words: str, stdin: int | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.lb_churn", *words, stdin=stdin, stdout=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    """Yield endpoints that end with the block."""
    process = await _child("endpoints", stdin=asyncio.subprocess.PIPE)
    try:
        yield Fleet(process)
    finally:
        process.kill()
        await process.communicate()


async def _loaded(port: int, options: argparse.Namespace, *, keep_alive: bool) -> list[str]:
    """Load until it is over; print the requests and return the failures."""
    process = await _child(
        "load", "--port", str(port), "--clients", str(options.clients), "--path", options.path,
        "--seconds", str(options.seconds), *(() if keep_alive else ("--no-keep-alive",)),
    )  # fmt: skip
    out, _ = await process.communicate()
    found = json.loads(out)
    total, failures = found["total"], found["failures"]
    print(f"  {total} requests ({total / options.seconds:.0f}/s), failed {len(failures)}")
    for what, count in Counter(failure.split(":")[0] for failure in failures).most_common():
        print(f"    {count} {what}")
    return list(failures)


def _instance(number: int, port: int, *, draining: bool = False) -> Put:
    return Put(
        Instance(
            id=InstanceId(f"i{number}"), service="web", node="n", address="127.0.0.1", port=port,
            draining=draining,
        )
    )  # fmt: skip


async def _replace(lb: LoadBalancer, catalog: Catalog, ends: Fleet, old: Put, number: int) -> Put:
    """Replace an endpoint as a planned stop does; return the new one."""
    new = _instance(number, await ends.open())
    leaving = _instance(int(old.instance.id[1:]), old.instance.port, draining=True)
    catalog.commit([new, leaving])
    quiet = 0
    async with asyncio.timeout(30):
        while quiet < 2:
            await asyncio.sleep(0.05)
            quiet = quiet + 1 if await lb.in_flight(leaving.instance) == 0 else 0
    catalog.commit([Drop("web", leaving.instance.id)])
    await ends.close(leaving.instance.port)
    return new


async def _churn(
    lb: LoadBalancer, catalog: Catalog, ends: Fleet, seats: list[Put], every: float
) -> None:
    """Replace the endpoints in the first seats in turn, for ever."""

    async def seat(index: int) -> None:
        number = ENDPOINTS + index
        await asyncio.sleep(every * (index + 1))
        while True:
            begun = time.monotonic()
            seats[index] = await _replace(lb, catalog, ends, seats[index], number)
            counts[index] += 1
            number += REPLACED
            await asyncio.sleep(max(0.0, begun + every * REPLACED - time.monotonic()))

    counts = [0] * REPLACED
    try:
        async with asyncio.TaskGroup() as group:
            for index in range(REPLACED):
                group.create_task(seat(index))
    finally:
        print(f"  {sum(counts)} endpoints replaced")


def _reloads() -> float:
    return APPLIES.labels("reload").value


async def churned(kind: Kind, options: argparse.Namespace, *, keep_alive: bool) -> tuple[int, int]:
    """Return failures and reloads of one load balancer."""
    catalog, port = Catalog(), free_port()
    lb = LoadBalancer(
        catalog, LbSettings(kind=kind, listen=f"127.0.0.1:{port}", drain=2.0), domains=("consul",)
    )
    async with fleet() as ends, asyncio.TaskGroup() as group:
        seats = [_instance(n, await ends.open()) for n in range(ENDPOINTS)]
        catalog.commit(seats)
        catalog.mark_synced()
        ready = asyncio.Event()
        running = group.create_task(lb.run(ready.set))
        await ready.wait()
        before = _reloads()
        churn = group.create_task(_churn(lb, catalog, ends, seats, options.every))
        failures = await _loaded(port, options, keep_alive=keep_alive)
        reloads = int(_reloads() - before)
        churn.cancel()
        running.cancel()
    print(f"  {reloads} reloads")
    return len(failures), reloads


async def plain(options: argparse.Namespace) -> tuple[int, int]:
    """Return failures and reloads of an nginx that gets a HUP each second and nothing new."""
    host = Address("127.0.0.1")
    port = Port(free_port())
    program = find_program("", "nginx")
    with tempfile.TemporaryDirectory(prefix="pnc-") as folder:
        directory = NginxDirectory(Path(folder) / "lb")
        directory.open()
        async with fleet() as ends, asyncio.TaskGroup() as group:
            catalog = Catalog()
            catalog.commit([_instance(n, await ends.open()) for n in range(ENDPOINTS)])
            place = place_of(
                await asked_build(program), SocketAddress(host, port), host, directory.path / SOCKET
            )
            config = Renderer(place).config(routes_of(catalog.snapshot, ("consul",)))
            directory.replace(CONFIG, config.text, sync=False)
            nginx = Nginx(program, directory)
            await nginx.start()
            listening = group.create_task(nginx.listen())
            await nginx.serving(config.digest)
            hups = group.create_task(_hups(int((directory.path / "nginx.pid").read_text())))
            failures = await _loaded(port, options, keep_alive=True)
            hups.cancel()
            await nginx.stop(2.0)
            listening.cancel()
        directory.close()
    return len(failures), int(options.seconds)


async def _hups(pid: int) -> None:
    while True:
        await asyncio.sleep(1.0)
        os.kill(pid, signal.SIGHUP)


async def compared(options: argparse.Namespace) -> int:
    """Run all; return the exit status."""
    print("HAProxy, kept connections: target 0 failed")
    haproxy, _ = await churned("haproxy", options, keep_alive=True)
    print("nginx, a connection for each request: target 0 failed")
    nginx, _ = await churned("nginx", options, keep_alive=False)
    print("nginx, kept connections: not more per reload than plain HUPs")
    kept, reloads = await churned("nginx", options, keep_alive=True)
    print("nginx, kept connections, plain HUPs of an unchanged file")
    lost, hups = await plain(options)
    ours, theirs = kept / max(reloads, 1), lost / max(hups, 1)
    print(f"lost per reload: {ours:.2f}, by plain HUP {theirs:.2f}")
    return 1 if haproxy or nginx else 0


def main() -> int:
    """Run a part, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["endpoints", "load"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--no-keep-alive", dest="keep_alive", action="store_false",
                        help=argparse.SUPPRESS)  # fmt: skip
    parser.add_argument("--seconds", type=float, default=15, help="of each of four runs")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between replacements")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--path", default="/?10", help="/?80 answers after 80 ms")
    options = parser.parse_args()
    if options.part == "load":
        load(options)
        return 0
    if options.part == "endpoints":
        asyncio.run(endpoints())
        return 0
    return asyncio.run(compared(options))


if __name__ == "__main__":
    sys.exit(main())
