"""A real Consul 1.8.7, and our own server in its place, as stores under test."""

import asyncio
import base64
import json
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp

import sidecar.metrics  # noqa: F401 - its import reads /proc, which no loop should wait for
from deploy.tools.consul import Consul
from deploy.tools.freezing import freeze, thaw
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import Edge, EdgeOptions, Mirror
from sidecar.stores.opening import open_edge, open_mirror
from tests.integration.stores.conformance.kit import entry
from tests.support.oracle import consul_program
from tests.support.pinnace import Pinnace

__all__ = ["ConsulBackend", "ConsulKeyBackend", "OurConsulBackend"]

_LIMIT = aiohttp.ClientTimeout(total=10)


class _RealConsul:
    """A server that keeps its data; its log tells every request."""

    def __init__(self) -> None:
        self._consul = Consul(dev=False, program=consul_program(), config={"log_level": "debug"})

    @property
    def port(self) -> int:
        return self._consul.ports["http"]

    @property
    def pid(self) -> int:
        return self._consul.pid

    def start(self) -> None:
        self._consul.start()

    def stop(self) -> None:
        self._consul.stop()

    def kill(self) -> None:
        self._consul.kill()

    def wipe(self) -> None:
        shutil.rmtree(self._consul.data_dir, ignore_errors=True)

    def writes(self) -> Hashable:
        wrote = r"method=(PUT|DELETE) url=/v1/(agent/service|agent/check/(de)?register|kv/services)"
        return len(re.findall(wrote, self._consul.log_text()))

    def close(self) -> None:
        self._consul.__exit__()


class _OurConsul:
    """``pinnace up`` with a state directory; there is no Docker engine."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pnc-consul-")
        self._state = Path(self._folder.name) / "state"
        self._pinnace = Pinnace(
            f"unix://{self._folder.name}/none.sock",
            wait=False,
            lb=False,
            state_dir=self._state,
            # A node may be called by its name; other names are a rebinding browser's.
            env={"PINNACE_REGISTRAR__NODE": "store.example.org"},
        )

    @property
    def port(self) -> int:
        return self._pinnace.http_port

    @property
    def pid(self) -> int:
        return self._pinnace.pid

    def start(self) -> None:
        self._pinnace.start()

    def stop(self) -> None:
        self._pinnace.stop()

    def kill(self) -> None:
        self._pinnace.kill()

    def wipe(self) -> None:
        shutil.rmtree(self._state, ignore_errors=True)

    def writes(self) -> Hashable:
        metrics = self._pinnace.get("/metrics")[1].decode()
        wrote = r'pinnace_web_requests_total\{route="/v1/agent/service/(de)?register.*'
        return tuple(match[0] for match in re.finditer(wrote, metrics))

    def close(self) -> None:
        self._pinnace.__exit__(None, None, None)
        self._folder.cleanup()


class _Backend(ABC):
    """What the catalogue and the keys have in common."""

    def __init__(self, process: "_RealConsul | _OurConsul") -> None:
        self._process = process
        self._is_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()

    async def fresh(self) -> None:
        if not self._is_up:
            await self.start()
        await self._empty()
        await self.ask("DELETE", "kv/?recurse=")

    async def start(self) -> None:
        await asyncio.to_thread(self._process.start)
        async with asyncio.timeout(20):
            while not await self._answers():
                await asyncio.sleep(0.02)
        self._is_up = True

    async def stop(self) -> None:
        self._is_up = False
        await asyncio.to_thread(self._process.stop)

    async def kill(self) -> None:
        self._is_up = False
        await asyncio.to_thread(self._process.kill)

    async def wipe(self) -> None:
        await self.kill()
        await asyncio.to_thread(self._process.wipe)
        await self.start()

    async def freeze(self) -> None:
        await asyncio.to_thread(freeze, self._process.pid)

    async def thaw(self) -> None:
        if self._is_up:
            thaw(self._process.pid)

    def edge(
        self, options: EdgeOptions | None = None, *, host: str = "127.0.0.1", secret: str = ""
    ) -> Edge:
        environ = {"CONSUL_HTTP_TOKEN": secret} if secret else {}
        clock = SystemClock()
        return open_edge(self.url(host), options or EdgeOptions(), clock=clock, environ=environ)

    def mirror(self, catalog: Catalog) -> Mirror:
        return open_mirror(self.url(), catalog, clock=SystemClock(), environ={})

    async def revision(self) -> Hashable:
        await asyncio.sleep(0.05)  # a request is told in the log after it was answered
        return await asyncio.to_thread(self._process.writes)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of an answer, None when there is none."""
        url = f"http://127.0.0.1:{self._process.port}/v1/{path}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession(timeout=_LIMIT) as session,
            session.request(method, url, data=data) as response,
        ):
            text = await response.read()
            return json.loads(text) if response.status == 200 and text else None

    async def _answers(self) -> bool:
        try:
            return bool(await self.ask("GET", "status/leader"))
        except aiohttp.ClientError:
            return False

    @abstractmethod
    def url(self, host: str = "127.0.0.1") -> str:
        """Return the address of the store under test."""

    @abstractmethod
    async def _empty(self) -> None:
        """Remove what an earlier test left."""


class ConsulBackend(_Backend):
    """The catalogue of a real agent."""

    carries = frozenset({"tags", "meta", "id", "draining"})

    def __init__(self, process: "_RealConsul | _OurConsul | None" = None) -> None:
        super().__init__(process or _RealConsul())

    def url(self, host: str = "127.0.0.1") -> str:
        return f"consul://{host}:{self._process.port}"

    async def _empty(self) -> None:
        for id_ in await self.ask("GET", "agent/services"):
            if id_ != "consul":
                await self.ask("PUT", f"agent/service/deregister/{quote(id_, safe='')}")

    async def raw(self) -> Mapping[str, str]:
        services = await self.ask("GET", "agent/services")
        checks = await self.ask("GET", "agent/checks")
        return {
            id_: _shown(
                each["Service"],
                each["Address"],
                each["Port"],
                each["Tags"] or [],
                each["Meta"] or {},
                is_drained=f"_service_maintenance:{id_}" in checks,
            )
            for id_, each in services.items()
            if id_ != "consul"
        }

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        return {
            each.id: _shown(
                each.service,
                each.address,
                each.port,
                list(each.tags),
                dict(each.meta),
                is_drained=each.draining,
            )
            for each in instances
        }

    async def put_foreign(self, instance: Instance) -> None:
        body = {
            "ID": instance.id,
            "Name": instance.service,
            "Port": instance.port,
            "Address": instance.address,
        }
        await self.ask("PUT", "agent/service/register", body)

    async def spoil(self, instance: Instance) -> None:
        await self.put_foreign(replace(instance, port=instance.port + 7))

    async def remove(self, instance: Instance) -> None:
        await self.ask("PUT", f"agent/service/deregister/{quote(instance.id, safe='')}")

    async def put_garbage(self) -> bool:
        return False

    def refused(self) -> Instance | None:
        return entry(port=21999, meta={"a.b": "c"}, meta_given=True)


class OurConsulBackend(ConsulBackend):
    """``pinnace up`` in the place of a Consul agent."""

    def __init__(self) -> None:
        super().__init__(_OurConsul())


class ConsulKeyBackend(_Backend):
    """Keys of a real agent."""

    carries = frozenset({"id"})

    def __init__(self) -> None:
        super().__init__(_RealConsul())

    def url(self, host: str = "127.0.0.1") -> str:
        return f"consulkv://{host}:{self._process.port}/services"

    async def _empty(self) -> None:
        """Have nothing but keys to remove."""

    async def raw(self) -> Mapping[str, str]:
        pairs = await self.ask("GET", "kv/services/?recurse=")
        return {each["Key"]: base64.b64decode(each["Value"] or "").decode() for each in pairs or ()}

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        return {self._key(each): _place(each) for each in instances if not each.draining}

    async def put_foreign(self, instance: Instance) -> None:
        await self._put(self._key(instance), _place(instance))

    async def spoil(self, instance: Instance) -> None:
        await self._put(self._key(instance), "192.0.2.77:7")

    async def remove(self, instance: Instance) -> None:
        await self.ask("DELETE", f"kv/{quote(self._key(instance))}")

    async def put_garbage(self) -> bool:
        await self._put("services/web/garbage", "no address")
        await self._put("services/loose", "192.0.2.1:1")
        return True

    def refused(self) -> Instance | None:
        return entry(port=21999, id=InstanceId(".."))

    @staticmethod
    def _key(instance: Instance) -> str:
        return f"services/{instance.service}/{instance.id}"

    async def _put(self, key: str, value: str) -> None:
        await self.ask("PUT", f"kv/{quote(key)}", value.encode())


def _shown(
    service: str,
    address: str,
    port: int,
    tags: list[str],
    meta: dict[str, str],
    *,
    is_drained: bool,
) -> str:
    return json.dumps([service, address, port, tags, dict(sorted(meta.items())), is_drained])


def _place(instance: Instance) -> str:
    host = f"[{instance.address}]" if ":" in instance.address else instance.address
    return f"{host}:{instance.port}"
