"""The Consul-compatible API and the checks it starts, loaded behind the start.

Loading waits for the first request: who only uses names and routes pays neither the time nor the
4.5 MB (measured). It happens at once when the store holds checks that have to run again.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from sidecar.catalog.query import check_statuses
from sidecar.config.model import Settings
from sidecar.config.units import endpoint
from sidecar.runtime import memory
from sidecar.runtime.clock import Clock
from sidecar.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from aiohttp import web

    from sidecar.local_checks import LocalChecks
    from sidecar.web.door import Later, Short, ShortAnswer

__all__ = ["Api"]

_SETTLE: Final = 1.0  # seconds after loading, when its first answer is out


class Api:
    """A component: the routes under ``/v1`` and the local agent's checks."""

    name = "checks"

    def __init__(self, store: EmbeddedStore, settings: Settings, clock: Clock) -> None:
        """Serve ``store`` as an agent of the node in the settings."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._asked = asyncio.Event()
        self._loading = asyncio.Lock()
        self._loaded: tuple[list[web.RouteDef], LocalChecks] | None = None
        self._short: Short = lambda _target, _gzip: None

    async def routes(self) -> Iterable["web.RouteDef"]:
        """Return the routes, loading them when that was not done yet."""
        self._asked.set()
        return (await self._load())[0]

    def short(self, target: str, gzip: bool) -> "ShortAnswer | Later | None":
        """Answer a request that needs no parsing (``sidecar.web.door``), or return None."""
        return self._short(target, gzip)

    async def run(self, ready: Callable[[], None]) -> None:
        """Run the checks until cancelled."""
        if self._has_checks():
            _, checks = await self._load()
            await checks.run(ready)
        else:
            ready()
            await self._asked.wait()
            _, checks = await self._load()
            await checks.run(lambda: None)

    def _has_checks(self) -> bool:
        snapshot = self._store.catalog.snapshot
        return any(node.checks for node in snapshot.nodes.values()) or any(
            check.definition
            for members in snapshot.services.values()
            for instance in members
            for check in instance.checks
        )

    async def _load(self) -> "tuple[list[web.RouteDef], LocalChecks]":
        async with self._loading:
            if self._loaded is None:
                await asyncio.to_thread(_import)
                self._loaded = self._made()
                asyncio.get_running_loop().call_later(_SETTLE, memory.settle)
        return self._loaded

    def _made(self) -> "tuple[list[web.RouteDef], LocalChecks]":
        from sidecar.checks.policy import CheckPolicy  # noqa: PLC0415
        from sidecar.local_checks import LocalChecks  # noqa: PLC0415
        from sidecar.web.consul.api import shorts, store_routes  # noqa: PLC0415
        from sidecar.web.consul.kv import short_of  # noqa: PLC0415
        from sidecar.web.consul.whole import catalog_api  # noqa: PLC0415

        settings, store = self._settings, self._store
        node, datacenter = settings.registrar.node, settings.dns.datacenter
        address = settings.registrar.ip or "127.0.0.1"
        api = catalog_api(store, node, address, datacenter, self._clock)
        listens = (settings.http.listen, *settings.dns.listen.split(","))
        places = [endpoint(text) for text in listens]
        policy = CheckPolicy(
            own_ports=frozenset(place.port for place in places),
            own_addresses=frozenset({address, *(place.host for place in places)}),
        )
        checks = LocalChecks(api.commands, self._clock, policy)
        kept = store_routes(
            store.kv,
            datacenter=datacenter,
            node=node,
            address=address,
            checks_of=lambda name: check_statuses(store.catalog.snapshot, name, own=node),
            tags_of=lambda: {i.id: i.tags for i in api.commands.agent.instances.values()},
        )
        self._short = shorts(api.reading.short, short_of(store.kv))
        return [*kept, *api.routes()], checks


def _import() -> None:
    """Import everything heavy, in a thread: the loop goes on."""
    import sidecar.local_checks  # noqa: PLC0415
    import sidecar.web.consul.api  # noqa: PLC0415
    import sidecar.web.consul.whole  # noqa: F401, PLC0415
