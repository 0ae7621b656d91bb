"""The HTTP API over a store in memory, and a client that shows all of an answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from sidecar.catalog.live import Catalog
from sidecar.config.model import HttpSettings
from sidecar.runtime.clock import FakeClock
from sidecar.stores.keyvalue import EmbeddedKeyValue
from sidecar.web.consul.api import store_routes
from sidecar.web.server import WebServer
from tests.support.answer import Answer
from tests.support.keys import checks_of
from tests.support.routes import at_once


class Api:
    """A client of one server."""

    def __init__(self, session: aiohttp.ClientSession, base: str, store: EmbeddedKeyValue) -> None:
        """Send what is asked for as it stands, without cleaning paths."""
        self._session = session
        self._base = base
        self.store = store

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        names = {"Accept-Encoding": "identity"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self._session.request(
            method,
            URL(self._base + path, encoded=True),
            data=data,
            headers=names,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(10),
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str) -> Answer:
        """Send a GET."""
        return await self.ask("GET", path)

    async def put(self, path: str, body: Any = None) -> Answer:
        """Send a PUT."""
        return await self.ask("PUT", path, body)

    async def delete(self, path: str) -> Answer:
        """Send a DELETE."""
        return await self.ask("DELETE", path)

    async def session(self, **fields: Any) -> str:
        """Create a session and return its id."""
        made = await self.put("/v1/session/create", fields)
        assert made.status == 200, made.text
        id_: str = made.json["ID"]
        return id_


@asynccontextmanager
async def served(clock: FakeClock | None = None, journal: Any = None) -> AsyncIterator[Api]:
    """Serve the API of datacenter dc1 and node node-1 on a free port."""
    catalog = Catalog()
    store = EmbeddedKeyValue(catalog, clock or FakeClock(), journal)
    server = WebServer(
        catalog,
        HttpSettings(listen="127.0.0.1:0"),
        health=dict,
        stopping=lambda: False,
        api=at_once(
            store_routes(
                store, datacenter="dc1", node="node-1", address="192.0.2.1", checks_of=checks_of
            )
        ),
    )
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        assert server.address is not None
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Api(session, "http://{}:{}".format(*server.address), store)
        task.cancel()
