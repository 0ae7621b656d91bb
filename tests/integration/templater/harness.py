"""A load balancer under test, its catalogue, its clients."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path

import pytest

from sidecar.catalog.changes import Drop, Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.config.model import LbSettings
from sidecar.metrics import REGISTRY
from templater.component import LoadBalancer
from templater.exchange import exchange
from templater.haproxy.directory import MASTER_SOCKET
from templater.proxy import ProxyUnavailable
from tests.support.load import Load
from tests.support.pace import allowed
from tests.support.ports import free_port

HERE = Path(__file__).parent


__all__ = [
    "Bench",
    "backends",
    "client",
    "eventually_served",
    "fill",
    "free_port",
    "instance",
    "need_haproxy",
    "running",
    "steady",
    "until",
]


def need_haproxy() -> None:
    """Skip where there is no HAProxy; in CI that is a failure."""
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        if os.environ.get("CI"):
            pytest.fail("haproxy is not installed")
        pytest.skip("haproxy is not installed")


def instance(id_: str, port: int, service: str = "web", **fields: object) -> Instance:
    values: dict[str, object] = {"node": "n1", "address": "127.0.0.1", **fields}
    return Instance(id=InstanceId(id_), service=service, port=port, **values)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def backends(count: int) -> AsyncIterator[list[int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "backend.py"), str(count), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield [int(word) for word in (await process.stdout.readline()).split()]
    finally:
        process.kill()
        await process.communicate()


class Bench:
    """The running component."""

    def __init__(self, tmp_path: Path, **settings: object) -> None:
        self.port = int(str(settings.pop("port", 0))) or free_port()
        self.catalog = Catalog()
        self.dir = tmp_path / "lb"
        self.task: asyncio.Task[None] | None = None
        values: dict[str, object] = {"dir": str(self.dir), "drain": 2.0, **settings}
        self.lb = LoadBalancer(
            self.catalog,
            LbSettings(listen=f"127.0.0.1:{self.port}", **values),  # type: ignore[arg-type]
            domains=("consul", "pinnace"),
            reserved_ports=frozenset({8500}),
        )

    def put(self, *instances: Instance) -> None:
        self.catalog.commit(Put(one) for one in instances)

    def drop(self, *ids: str, service: str = "web") -> None:
        self.catalog.commit(Drop(service, InstanceId(id_)) for id_ in ids)

    def stop(self, after: float = 0.0) -> None:
        """Cancel the component."""
        assert self.task is not None
        asyncio.get_running_loop().call_later(after, self.task.cancel)

    async def get(
        self, host: str = "web.localhost", path: str = "/", port: int = 0, **more: object
    ) -> tuple[int, str]:
        async with client(port or self.port) as ask:
            return await ask(host, path, **more)

    async def served(self, count: int = 40, host: str = "web.localhost") -> Counter[str]:
        """Return which backends answered, each answer 200."""
        found: Counter[str] = Counter()
        for _ in range(count):
            status, body = await self.get(host)
            assert status == 200
            found[body] += 1
        return found

    async def applied(self, kind: str) -> None:
        """Wait until the last apply is of this kind."""
        await until(lambda: self.last["kind"] == kind)

    async def answers(self, host: str, status: int) -> None:
        """Wait until a host gets this status."""
        async with asyncio.timeout(allowed(15)):
            while (await self.get(host))[0] != status:
                await asyncio.sleep(0.005)

    def live(self) -> int:
        """Return how many endpoints are in slots."""
        value = REGISTRY.get_sample_value("pinnace_templater_endpoints")
        assert value is not None
        return int(value)

    def seconds(self) -> float:
        """Return how long the last apply took."""
        seconds = self.last["seconds"]
        assert isinstance(seconds, float)
        return seconds

    @property
    def last(self) -> dict[str, object]:
        last = self.lb.status()["last"]
        return last if isinstance(last, dict) else {"kind": "none"}

    def applied_last(self) -> tuple[object, ...]:
        """Return what tells the last apply from others."""
        return tuple(self.last.get(name) for name in ("kind", "why", "seconds"))

    async def applies(self, last: tuple[object, ...]) -> None:
        """Wait until something was applied after ``last``."""
        await until(lambda: self.applied_last() != last, 15)

    async def ask(self, line: str, name: str = "admin.sock") -> str:
        while True:  # the master refuses connections while it executes itself anew
            try:
                return await exchange(self.dir / name, line, timeout=2.0)
            except ProxyUnavailable:
                await asyncio.sleep(0.01)

    async def reloads(self) -> int:
        words = (await self.ask("show proc", MASTER_SOCKET)).splitlines()[1].split()
        return int(words[2])

    async def pids(self) -> tuple[int, int]:
        """Return the master's and the worker's process id."""
        lines = (await self.ask("show proc", MASTER_SOCKET)).splitlines()
        return int(lines[1].split()[0]), int(lines[3].split()[0])


@contextlib.asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.lb.run(ready.set))
        bench.task = task
        waiter = group.create_task(ready.wait())
        await asyncio.wait({task, waiter}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set(), "not ready within 10 s"
        try:
            yield bench
        finally:
            if not task.cancelling():
                task.cancel()
            waiter.cancel()


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Callable[..., Coroutine[None, None, tuple[int, str]]]]:
    """Yield ``ask(host, path)`` on one keep-alive connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(
        host: str, path: str = "/", method: str = "GET", headers: Mapping[str, str] = {}
    ) -> tuple[int, str]:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = 0
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        return int(head.split(" ", 2)[1]), (await reader.readexactly(length)).decode()

    try:
        yield ask
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def eventually_served(bench: Bench, count: int, wanted: dict[str, int]) -> None:
    """Wait until so many requests are shared like this."""
    async with asyncio.timeout(allowed(10)):
        while await bench.served(count) != wanted:
            await asyncio.sleep(0.02)


def fill(path: Path) -> None:
    """Take all the room that a disk has."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


@contextlib.contextmanager
def steady(port: int, *, clients: int = 6, keep_alive: bool = True) -> Iterator[Load]:
    """Load the service web; its threads end without holding the loop of the test."""
    traffic = Load(port, "web.localhost", clients=clients, pause=0.002, keep_alive=keep_alive)
    traffic.__enter__()
    try:
        yield traffic
    finally:
        traffic._stop.set()
        for thread in traffic._threads:
            thread.join(15)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
