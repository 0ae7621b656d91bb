"""What tests of sessions share: edges of a given session time, processes, an onlooker."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self

from kazoo.client import KazooClient

from sidecar.catalog.model import Instance
from sidecar.stores.base import EdgeOptions
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.edge import ZooKeeperEdge
from sidecar.stores.zookeeper.location import location
from tests.integration.stores.conformance.zookeeper import BASE, ZooKeeperBackend

__all__ = ["Onlooker", "edge_on", "end_session", "keeper_process", "stands"]


def edge_on(
    zookeeper: ZooKeeperBackend, session: float = 10.0, base: str = BASE
) -> tuple[ZooKeeperEdge, Client]:
    """Return an edge and the client it has to itself."""
    client = Client(location(f"zookeeper://{zookeeper.server.address}{base}"), session=session)
    return ZooKeeperEdge(client, EdgeOptions()), client


def stands(zookeeper: ZooKeeperBackend, *instances: Instance) -> Callable[[], Awaitable[bool]]:
    """Return a question whether exactly these entries stand there."""

    async def asked() -> bool:
        return await zookeeper.raw() == zookeeper.expected(instances)

    return asked


@asynccontextmanager
async def keeper_process(
    zookeeper: ZooKeeperBackend, session: float, *ports: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a registrar in small beside us; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.stores.zookeeper.keeper",
        f"zookeeper://{zookeeper.server.address}{BASE}",
        str(session),
        *map(str, ports),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            assert await process.stdout.readline() == b"kept\n"
        yield process
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
        await process.wait()


def end_session(zookeeper: ZooKeeperBackend, identity: tuple[int, bytes] | None) -> None:
    """Take somebody's session over and close it, as its own client would."""
    client = KazooClient(zookeeper.server.address, client_id=identity)
    client.start()
    client.stop()
    client.close()


class Onlooker:
    """Looks for entries all the time, in a thread, and counts how often one was missing."""

    def __init__(self, zookeeper: ZooKeeperBackend, ports: tuple[int, ...]) -> None:
        """Look for these ports of the plain service."""
        self.looks = self.missed = 0
        self._address = zookeeper.server.address
        self._names = {f"192.0.2.1:{port}" for port in ports}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        client = KazooClient(self._address)
        client.start()
        while not self._stop.is_set():
            self.looks += 1
            self.missed += not self._names <= set(client.get_children(f"{BASE}/web"))
        client.stop()
        client.close()
