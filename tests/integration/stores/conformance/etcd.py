"""etcd 3.4 under the suite: v3, v2, and what SkyDNS reads."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Self
from urllib.parse import quote

from deploy.tools.etcd import Etcd, why_not
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import Edge, EdgeOptions, Mirror
from sidecar.stores.etcd.opening import open_edge, open_mirror
from tests.integration.stores.conformance.kit import entry
from tests.support.oracle import insist

__all__ = ["EtcdBackend", "LegacyBackend", "SkydnsBackend"]

Rows = dict[str, tuple[str, int]]


class EtcdBackend:
    """``etcd://`` on a server with the v3 API alone."""

    carries = frozenset({"id", "node"})
    scheme = "etcd"
    path = "/services"
    root = "/services/"
    has_v2 = False

    def __enter__(self) -> Self:
        insist(why_not())
        self._etcd = Etcd(v2=self.has_v2)
        self._etcd.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._etcd.__exit__()

    # --- the process ---------------------------------------------------------------------------

    async def fresh(self) -> None:
        await asyncio.to_thread(self._fresh)

    async def start(self) -> None:
        await asyncio.to_thread(self._etcd.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._etcd.stop)

    async def kill(self) -> None:
        await asyncio.to_thread(self._etcd.kill)

    async def wipe(self) -> None:
        await asyncio.to_thread(self._etcd.wipe)

    async def freeze(self) -> None:
        await asyncio.to_thread(self._etcd.freeze)

    async def thaw(self) -> None:
        if self._etcd.is_running:
            self._etcd.thaw()

    def _fresh(self) -> None:
        if self._etcd.is_running:
            self._etcd.thaw()
        else:
            self._etcd.start()
        self._empty()

    # --- our side ------------------------------------------------------------------------------

    def edge(
        self, options: EdgeOptions | None = None, *, host: str = "127.0.0.1", secret: str = ""
    ) -> Edge:
        login = f"registrar:{secret}@" if secret else ""
        url = f"{self.scheme}://{login}{host}:{self._etcd.port}{self.path}"
        return open_edge(url, options or EdgeOptions(), clock=SystemClock(), environ={})

    def mirror(self, catalog: Catalog) -> Mirror:
        url = f"{self.scheme}://127.0.0.1:{self._etcd.port}{self.path}"
        return open_mirror(url, catalog, clock=SystemClock(), environ={})

    # --- the other way in ----------------------------------------------------------------------

    async def raw(self) -> Mapping[str, str]:
        return {key: text for key, (text, _) in (await asyncio.to_thread(self._rows)).items()}

    async def revision(self) -> Hashable:
        rows = await asyncio.to_thread(self._rows)
        return tuple(sorted((key, index) for key, (_, index) in rows.items()))

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        return {self._key(each): self.text(each) for each in instances if not each.draining}

    async def put_foreign(self, instance: Instance) -> None:
        await asyncio.to_thread(self._put, self._key(instance), self.text(instance))

    async def spoil(self, instance: Instance) -> None:
        await asyncio.to_thread(self._put, self._key(instance), "192.0.2.99:9")

    async def remove(self, instance: Instance) -> None:
        await asyncio.to_thread(self._delete, self._key(instance))

    async def put_garbage(self) -> bool:
        for key in ("web/garbage", "web/half", "nothing"):
            await asyncio.to_thread(self._put, self.root + key, "no address: \x00")
        return True

    def refused(self) -> Instance | None:
        """Return one whose key would lie elsewhere: the v2 API takes dots as a file system does."""
        return entry("web", 21999, id=InstanceId("../../elsewhere"))

    def text(self, instance: Instance) -> str:
        host = f"[{instance.address}]" if ":" in instance.address else instance.address
        return f"{host}:{instance.port}"

    def _key(self, instance: Instance) -> str:
        return f"{self.root}{instance.service}/{instance.id}"

    def _rows(self) -> Rows:
        body = {"key": _b64(self.root), "range_end": _b64(self.root[:-1] + "0")}
        found = self._etcd.call("kv/range", **body).get("kvs", [])
        return {_text(kv["key"]): (_text(kv["value"]), int(kv["mod_revision"])) for kv in found}

    def _put(self, key: str, value: str) -> None:
        self._etcd.put(key, value)

    def _delete(self, key: str) -> None:
        self._etcd.delete(key)

    def _empty(self) -> None:
        self._etcd.call("kv/deleterange", key=_b64("\0"), range_end=_b64("\0"))


class LegacyBackend(EtcdBackend):
    """``etcd2://`` on a server that has both APIs."""

    scheme = "etcd2"
    has_v2 = True

    def _rows(self) -> Rows:
        status, answer = self._etcd.ask("GET", f"/v2/keys{self.root}?recursive=true")
        return dict(_leaves(answer["node"])) if status == 200 else {}

    def _put(self, key: str, value: str) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"/v2/keys{quote(key)}"
        status, _ = self._etcd.ask("PUT", path, f"value={quote(value)}", **form)
        assert status in {200, 201}

    def _delete(self, key: str) -> None:
        status, _ = self._etcd.ask("DELETE", f"/v2/keys{quote(key)}")
        assert status == 200

    def _empty(self) -> None:
        for folder in (self.root.split("/")[1], "_pinnace"):
            self._etcd.ask("DELETE", f"/v2/keys/{folder}?recursive=true")


class SkydnsBackend(LegacyBackend):
    """``skydns2://`` on a server that has both APIs: Registrator's way, over v2."""

    scheme = "skydns2"
    path = "/cluster.local"
    root = "/skydns/local/cluster/"

    def text(self, instance: Instance) -> str:
        return f'{{"host":"{instance.address}","port":{instance.port}}}'


def _leaves(node: Any) -> Iterable[tuple[str, tuple[str, int]]]:
    for child in node.get("nodes", ()):
        if child.get("dir"):
            yield from _leaves(child)
        else:
            yield child["key"], (child["value"], child["modifiedIndex"])


def _b64(value: str) -> str:
    return b64encode(value.encode()).decode()


def _text(value: str) -> str:
    return b64decode(value).decode(errors="replace")
