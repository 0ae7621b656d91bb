"""A real ZooKeeper 3.8, looked into by kazoo's own blocking calls."""

import asyncio
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Self, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import ZnodeStat

from deploy.tools.zookeeper import ZooKeeper, why_not
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import Edge, EdgeOptions, Mirror
from sidecar.stores.zookeeper.opening import open_edge, open_mirror
from tests.integration.stores.conformance.kit import entry
from tests.support.oracle import insist

__all__ = ["BASE", "ZooKeeperBackend"]

T = TypeVar("T")
BASE = "/services/of/all"


class ZooKeeperBackend:
    """One server for the session; between tests its nodes are removed."""

    carries = frozenset({"tags"})

    def __enter__(self) -> Self:
        """Start it, or skip."""
        insist(why_not())
        self.server = ZooKeeper()
        self.server.start()
        self._auth: list[tuple[str, str]] = []  # to clean up after those who had a secret
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.server.__exit__()

    async def fresh(self) -> None:
        await self.thaw()
        await self.start()
        await self.ask(_empty)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def kill(self) -> None:
        await asyncio.to_thread(self.server.kill)

    async def wipe(self) -> None:
        await asyncio.to_thread(self.server.wipe)

    async def freeze(self) -> None:
        await asyncio.to_thread(self.server.freeze)

    async def thaw(self) -> None:
        self.server.thaw()

    def edge(
        self, options: EdgeOptions | None = None, *, host: str = "127.0.0.1", secret: str = ""
    ) -> Edge:
        url = f"zookeeper://{host}:{self.server.port}{BASE}"
        environ = {"ZOOKEEPER_AUTH": f"registrar:{secret}"} if secret else {}
        self._auth += [("digest", text) for text in environ.values()]
        return open_edge(url, options or EdgeOptions(), clock=SystemClock(), environ=environ)

    def mirror(self, catalog: Catalog) -> Mirror:
        url = f"zookeeper://{self.server.address}{BASE}"
        return open_mirror(url, catalog, clock=SystemClock(), environ={})

    async def raw(self) -> Mapping[str, str]:
        return {path: data.decode() for path, (data, _) in (await self.ask(_entries)).items()}

    async def revision(self) -> Hashable:
        found = await self.ask(_entries)
        return frozenset((path, stat.czxid, stat.mzxid) for path, (_, stat) in found.items())

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        ordered = sorted(instances, key=lambda each: each.id.endswith(":udp"))  # tcp comes first
        for each in ordered:
            if each.draining:
                continue
            path = _path(each)
            found[f"{path}:udp" if path in found else path] = _text(each)
        return found

    async def put_foreign(self, instance: Instance) -> None:
        def put(client: KazooClient) -> None:
            client.create(_path(instance), _text(instance).encode(), makepath=True)

        await self.ask(put)

    async def spoil(self, instance: Instance) -> None:
        await self.ask(lambda client: client.set(_path(instance), b"{}"))

    async def remove(self, instance: Instance) -> None:
        await self.ask(lambda client: client.delete(_path(instance)))

    async def put_garbage(self) -> bool:
        def put(client: KazooClient) -> None:
            for leaf, data in GARBAGE.items():
                client.create(f"{BASE}/web/{leaf}", data, makepath=True)
            client.create(f"{BASE}/empty", b"not a service")

        await self.ask(put)
        return True

    def refused(self) -> Instance | None:
        return entry("we\x01b", 21999)

    async def ask(self, question: Callable[[KazooClient], T]) -> T:
        """Ask in a thread, over a connection of its own."""

        def asked() -> T:
            client = KazooClient(self.server.address, auth_data=self._auth)
            client.start()
            try:
                return question(client)
            finally:
                client.stop()
                client.close()

        return await asyncio.to_thread(asked)


GARBAGE = {
    "not-json": b"{",
    "a-list": b"[]",
    "nothing": b"",
    "binary": b"\xff\xfe",
    "no-port": b'{"IP":"192.0.2.1"}',
    "bad-port": b'{"IP":"192.0.2.1","PublicPort":70000}',
    "bad-address": b'{"IP":"a\\nb","PublicPort":80}',
    "bad-tags": b'{"IP":"192.0.2.1","PublicPort":80,"Tags":"a"}',
    "bad-attrs": b'{"IP":"192.0.2.1","PublicPort":80,"Attrs":{"a":1}}',
    "deep": b"[" * 100_000,
}


def _path(instance: Instance) -> str:
    address = f"[{instance.address}]" if ":" in instance.address else instance.address
    return f"{BASE}/{instance.service}/{address}:{instance.port}"


def _text(instance: Instance) -> str:
    assert instance.origin is not None
    body = {
        "Name": instance.service,
        "IP": instance.address,
        "PublicPort": instance.port,
        "PrivatePort": instance.origin.port,
        "ContainerID": instance.origin.hostname,
        "Tags": list(instance.tags),
        "Attrs": {name: instance.meta[name] for name in sorted(instance.meta)},
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _walk(client: KazooClient, path: str) -> Iterator[tuple[str, tuple[bytes, ZnodeStat]]]:
    try:
        children = client.get_children(path)
        yield path, client.get(path)
    except NoNodeError:
        return
    for child in children:
        yield from _walk(client, f"{path.rstrip('/')}/{child}")


def _entries(client: KazooClient) -> dict[str, tuple[bytes, ZnodeStat]]:
    """Return the nodes below the services."""
    depth = BASE.count("/") + 2
    return {path: read for path, read in _walk(client, BASE) if path.count("/") == depth}


def _empty(client: KazooClient) -> None:
    for name in client.get_children("/"):
        if name != "zookeeper":
            client.delete(f"/{name}", recursive=True)
