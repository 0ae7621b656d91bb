"""A DnsServer on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from dnsd.component import DnsServer
from sidecar.catalog.live import Catalog
from sidecar.config.model import DnsSettings
from tests.support.pace import allowed

Serve = Callable[..., AbstractAsyncContextManager[DnsServer]]


@pytest.fixture
def serve() -> Serve:
    """Return what serves a catalogue for the length of a ``with``."""

    @asynccontextmanager
    async def serving(
        catalog: Catalog,
        listen: str = "127.0.0.1:0",
        *,
        settings: Mapping[str, Any] = MappingProxyType({}),
        **how: Any,
    ) -> AsyncIterator[DnsServer]:
        wanted = DnsSettings(**{"listen": listen} | dict(settings))
        server = DnsServer(catalog, wanted, node_name="node-1", **how)
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(server.run(ready.set))
            async with asyncio.timeout(allowed(5)):
                await ready.wait()
            yield server
            task.cancel()

    return serving


@pytest.fixture(params=["many at a time", "one by one"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read datagrams in each of the two ways."""
    if request.param == "one by one":

        def none(*_: object) -> None:
            raise OSError("not on this system")

        monkeypatch.setattr("dnsd.udp.Bursts", none)
