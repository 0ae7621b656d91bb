"""A way into etcd that is not ours, and a process that holds entries there."""

import asyncio
import os
import signal
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.tools.etcd import Etcd
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.etcd.edge import EtcdEdge
from sidecar.stores.etcd.opening import open_edge

ROOT = Path(__file__).parents[4]
Held = dict[str, tuple[str, int]]


def emptied(etcd: Etcd) -> None:
    """Remove all keys."""
    everything = b64encode(b"\0").decode()
    etcd.call("kv/deleterange", key=everything, range_end=everything)
    for folder in ("s", "killed", "left", "_pinnace", "skydns", "kv"):
        etcd.ask("DELETE", f"/v2/keys/{folder}?recursive=true")


def v3_entries(etcd: Etcd, prefix: str = "/s/") -> Held:
    """Return value and lease of what stands below a prefix, by the v3 API."""
    begin, end = prefix.encode(), prefix[:-1].encode() + bytes((prefix.encode()[-1] + 1,))
    body = {"key": b64encode(begin).decode(), "range_end": b64encode(end).decode()}
    found = etcd.call("kv/range", **body).get("kvs", [])
    return {_text(kv["key"]): (_text(kv["value"]), int(kv.get("lease", 0))) for kv in found}


def v2_entries(etcd: Etcd, prefix: str = "/s/") -> Held:
    """Return value and TTL of what stands below a prefix, by the v2 API; one level of services."""
    status, answer = etcd.ask("GET", f"/v2/keys{prefix}?recursive=true")
    services = answer["node"].get("nodes", []) if status == 200 else []
    leaves = [leaf for service in services for leaf in service.get("nodes", [])]
    return {leaf["key"]: (leaf["value"], leaf.get("ttl", 0)) for leaf in leaves}


def v3_revisions(etcd: Etcd, prefix: str) -> list[str]:
    """Return when each entry below a prefix was last written."""
    begin, end = prefix.encode(), prefix[:-1].encode() + bytes((prefix.encode()[-1] + 1,))
    body = {"key": b64encode(begin).decode(), "range_end": b64encode(end).decode()}
    return [kv["mod_revision"] for kv in etcd.call("kv/range", **body).get("kvs", [])]


def edge_on(
    etcd: Etcd, scheme: str = "etcd", *, path: str = "/s", ttl: float = 0.0, refresh: float = 0.0
) -> EtcdEdge:
    """Return an edge on this server."""
    url = f"{scheme}://127.0.0.1:{etcd.port}{path}"
    return open_edge(url, EdgeOptions(ttl=ttl, refresh=refresh), clock=SystemClock(), environ={})


class Holder:
    """The process of ``holder.py``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def holding(url: str, ttl: float, *ports: int) -> AsyncIterator[Holder]:
    """Run a process that has written entries and keeps them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.stores.etcd.holder", url, str(ttl)),
        *map(str, ports),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    holder = Holder(process)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"written\n"
        yield holder
    finally:
        await holder.kill()


def _text(value: str) -> str:
    return b64decode(value).decode(errors="replace")
