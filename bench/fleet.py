"""Endpoints, clients and a load balancer for the benchmarks of load balancing.

Endpoints and clients run in processes of their own, so that they do not wait for each other.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal, NamedTuple, Self

from sidecar.catalog.changes import Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import LbSettings
from templater.component import LoadBalancer
from templater.telemetry import APPLIES
from tests.support.load import Load
from tests.support.ports import free_port

__all__ = [
    "Balancer",
    "Endpoint",
    "Fleet",
    "Kind",
    "Outcome",
    "Single",
    "balancer",
    "fleet",
    "loaded",
    "reloads",
]

HOST = "web.localhost"
Kind = Literal["haproxy", "nginx"]


class Endpoint(NamedTuple):
    """One endpoint in the catalogue."""

    number: int
    port: int
    service: str = "web"

    def put(self, *, draining: bool = False) -> Put:
        """Return what enters it."""
        return Put(
            Instance(
                id=InstanceId(f"i{self.number}"), service=self.service, node="n",
                address="127.0.0.1", port=self.port, draining=draining,
            )
        )  # fmt: skip


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


class Single:
    """One endpoint in a process of its own, which can be killed."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        """Take a process that serves."""
        self._process = process
        self.port = port

    @classmethod
    async def start(cls) -> Self:
        """Start one and wait until it listens."""
        process = await _child("endpoints", stdin=asyncio.subprocess.PIPE)
        return cls(process, await Fleet(process).open())

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


async def _serve_endpoints() -> None:
    """Serve what standard input asks for, until it ends."""
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


def _load(options: argparse.Namespace) -> None:
    """Load a port until SIGTERM and print what came of it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with Load(
        options.port,
        HOST,
        clients=options.clients,
        path=options.path,
        keep_alive=options.keep_alive,
    ) as traffic:
        began = time.monotonic()
        signal.sigwait({signal.SIGTERM})
        took = time.monotonic() - began
    found = {"total": traffic.total, "failures": traffic.failures, "seconds": took}
    print(json.dumps(found))


async def _child(*words: str, stdin: int | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.fleet", *words, stdin=stdin, stdout=asyncio.subprocess.PIPE
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


class Outcome:
    """What came of a load."""

    total = 0
    failures: list[str]


@asynccontextmanager
async def loaded(port: int, *, clients: int, path: str, keep_alive: bool) -> AsyncIterator[Outcome]:
    """Load a port as long as the block takes; then the outcome is there and printed."""
    outcome = Outcome()
    process = await _child(
        "load", "--port", str(port), "--clients", str(clients), "--path", path,
        *(() if keep_alive else ("--no-keep-alive",)),
    )  # fmt: skip
    try:
        await asyncio.sleep(0.5)
        yield outcome
    finally:
        os.kill(process.pid, signal.SIGTERM)
        out, _ = await process.communicate()
    found = json.loads(out)
    outcome.total, outcome.failures = found["total"], list(found["failures"])
    rate = outcome.total / found["seconds"]
    print(f"  {outcome.total} requests ({rate:.0f}/s), failed {len(outcome.failures)}")
    for what, count in Counter(one.split(":")[0] for one in outcome.failures).most_common():
        print(f"    {count} {what}")


class Balancer:
    """A load balancer that runs, and its catalogue."""

    def __init__(self, kind: Kind, port: int) -> None:
        """Make one for a port that is free."""
        self.catalog, self.port = Catalog(), port
        settings = LbSettings(kind=kind, listen=f"127.0.0.1:{port}", drain=2.0)
        self.lb = LoadBalancer(self.catalog, settings, domains=("consul",))

    async def drained(self, leaving: Endpoint) -> None:
        """Wait as a planned stop does; the endpoint drains already."""
        instance = leaving.put(draining=True).instance
        quiet = 0
        async with asyncio.timeout(30):
            while quiet < 2:
                await asyncio.sleep(0.05)
                quiet = quiet + 1 if await self.lb.in_flight(instance) == 0 else 0


@asynccontextmanager
async def balancer(kind: Kind, puts: list[Put]) -> AsyncIterator[Balancer]:
    """Yield a load balancer that serves these endpoints."""
    bench = Balancer(kind, free_port())
    bench.catalog.commit(puts)
    bench.catalog.mark_synced()
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Event()
        running = group.create_task(bench.lb.run(ready.set))
        await ready.wait()
        try:
            yield bench
        finally:
            running.cancel()


def reloads() -> int:
    """Return how many there were in this process."""
    return int(APPLIES.labels("reload").value)


def main() -> None:
    """Be one of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["endpoints", "load"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--path")
    parser.add_argument("--no-keep-alive", dest="keep_alive", action="store_false")
    options = parser.parse_args()
    if options.part == "load":
        _load(options)
    else:
        asyncio.run(_serve_endpoints())


if __name__ == "__main__":
    main()
