"""How long a change takes to be in an answer of dnsd, and how much memory dnsd takes alone.

python -m bench.dnsd_fresh
"""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from bench.figures import Figure, report
from deploy.tools.consul import Consul, Unavailable
from deploy.tools.server import free_ports
from dnsd.component import DnsServer
from dnsd.feed import Start, Told, encode
from sidecar.catalog.changes import Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import DnsSettings

CORES = sorted(os.sched_getaffinity(0))
NAME = b"\5svc-7\7service\6consul\0"
QUERY = b"\0\1\1\0\0\1\0\0\0\0\0\0" + NAME + b"\0\1\0\1"


def main() -> int:
    """Measure both."""
    took = sorted(measure(200))
    return report([Figure("change to new answer", "ms", 50, took), *alone_memory()])


def instances(services: int, count: int) -> Iterator[Put]:
    """Yield so many instances of so many services."""
    for service in range(services):
        for number in range(count):
            yield Put(
                Instance(
                    id=InstanceId(f"i{number}"),
                    service=f"svc-{service}",
                    node="node-1",
                    address=f"10.{service >> 8}.{service & 255}.{number + 1}",
                    port=8080,
                )
            )


# --- freshness -------------------------------------------------------------------------------


def measure(times: int) -> Iterator[float]:
    """Yield milliseconds from a commit until an answer has it; 1,000 services of 10."""
    command = ["taskset", "-c", str(CORES[0]), sys.executable, "-m", "bench.dnsd_fresh", "--serve"]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            sock.settimeout(5)
            for number in range(times):
                server.stdin.write(f"{number}\n")
                wanted = bytes((172, 16, number >> 8, number & 255))
                while True:
                    sock.send(QUERY)
                    if wanted in sock.recv(4096):
                        break
                seen = time.monotonic()
                yield (seen - float(server.stdout.readline())) * 1000
    finally:
        server.stdin.close()
        server.terminate()
        server.wait(5)


async def serve() -> None:
    """Serve; each line of input moves one instance and prints when that was committed."""
    catalog = Catalog()
    catalog.commit(instances(1000, 10))
    catalog.mark_synced()
    server = DnsServer(catalog, DnsSettings(listen="127.0.0.1:0"), node_name="node-1")
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run(ready.set))
        await ready.wait()
        print(server.addresses[0].port, flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            number = int(line)
            moved = Instance(
                id=InstanceId("i3"),
                service="svc-7",
                node="node-1",
                address=f"172.16.{number >> 8}.{number & 255}",
                port=8080,
            )
            catalog.commit([Put(moved)])
            print(time.monotonic(), flush=True)
        serving.cancel()


# --- memory ----------------------------------------------------------------------------------


def resident(pid: int) -> float:
    """Return megabytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def alone_memory() -> list[Figure]:
    """Return resident megabytes with 1,000 instances: on Consul, and of a worker."""
    figures = [Figure("resident: a worker, 1,000 instances", "MB", 32, [worker_memory()])]
    try:
        figures.append(Figure("resident: dnsd --store consul://", "MB", 32, [consul_memory()]))
    except Unavailable as error:
        print(f"no Consul: {error}")
    return figures


def worker_memory() -> float:
    """Feed a worker and look at it two seconds later."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "dnsd.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    (port,) = free_ports(1)
    settings = DnsSettings(listen=f"127.0.0.1:{port}")
    changes = tuple(instances(100, 10))
    worker.stdin.write(encode(Start(settings, "node-1", bytes(16), 1)))
    worker.stdin.write(encode(Told.of(changes, is_synced=True, away=None)))
    worker.stdin.flush()
    try:
        worker.stdout.read(4)
        asked(port)
        time.sleep(2)
        return resident(worker.pid)
    finally:
        worker.stdin.close()
        worker.wait(10)


def consul_memory() -> float:
    """Run dnsd on a real Consul and look at it two seconds later."""
    with Consul() as consul:
        from bench.dnsd_peers import register  # noqa: PLC0415 - it imports this module

        for change in instances(100, 10):
            one = change.instance
            body: dict[str, object] = {"ID": f"{one.service}-{one.id}", "Name": one.service}
            register(consul.url, body | {"Address": one.address, "Port": one.port})
        (port,) = free_ports(1)
        program = str(Path(sys.executable).with_name("dnsd"))
        store = consul.url.replace("http://", "consul://")
        server = subprocess.Popen([program, "--store", store, "--dns", f"127.0.0.1:{port}"])
        try:
            asked(port)
            time.sleep(2)
            return resident(server.pid)
        finally:
            server.terminate()
            server.wait(10)


def asked(port: int) -> None:
    """Ask until every service is known, so that each has an answer ready."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        for service in range(100):
            name = f"svc-{service}".encode()
            query = QUERY[:12] + bytes((len(name),)) + name + QUERY[18:]
            for _ in range(200):
                try:
                    sock.send(query)
                    if sock.recv(4096)[7]:
                        break
                except OSError:
                    pass
                time.sleep(0.05)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        uvloop.run(serve())
        sys.exit(0)
    sys.exit(main())
