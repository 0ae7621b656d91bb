"""A whole server of the Consul-compatible API on loopback, and a client that sends anything."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from sidecar.catalog.agent import LocalNode
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Check, Status
from sidecar.config.model import HttpSettings
from sidecar.runtime.clock import FakeClock
from sidecar.stores.embedded import EmbeddedStore
from sidecar.web.consul.view import Local
from sidecar.web.consul.whole import COMPATIBLE, CatalogApi
from sidecar.web.server import WebServer
from tests.support.answer import Answer
from tests.support.routes import at_once

NODE = LocalNode(name="node-1", address="192.0.2.7", id="11111111-2222-4333-8444-555555555555")
LOCAL = Local(node=NODE, version=COMPATIBLE)


class Checks:
    """A runner that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def start(self, check: Check) -> None:
        self.told.append(("start", check.id))

    def stop(self, check_id: str) -> None:
        self.told.append(("stop", check_id))

    def renew(self, check_id: str, status: Status, output: str) -> None:
        self.told.append(("renew", check_id))


class World:
    """The server's parts."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.store = EmbeddedStore(self.catalog)
        self.clock = FakeClock()
        self.checks = Checks()
        self.api = CatalogApi(self.store, LOCAL, self.clock)
        self.api.commands.run_by(self.checks)
        self.server: WebServer | None = None


class Client:
    """Talks to one server."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(
        self, method: str, path: str, body: object = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = URL(self._base + path, encoded=True)
        asked = {"Accept-Encoding": "identity"} | dict(headers or {})
        async with self._session.request(
            method, url, data=data, headers=asked, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def put(self, path: str, body: object = b"") -> Answer:
        return await self.ask("PUT", path, body)


@asynccontextmanager
async def served(world: World, **options: Any) -> AsyncIterator[Client]:
    """Serve the world; ``options`` are the server's."""
    settings = options.pop("settings", HttpSettings(listen="127.0.0.1:0"))
    more = options.pop("routes", ())
    server = world.server = WebServer(
        world.catalog,
        settings,
        health=dict,
        stopping=lambda: False,
        api=at_once((*more, *world.api.routes())),
        **options,
    )
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        assert server.address is not None
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Client(session, "http://{}:{}".format(*server.address))
        task.cancel()
