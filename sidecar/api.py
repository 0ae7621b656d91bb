"""The Consul-compatible API and the checks it starts, loaded behind the start.

Loading waits for the first request: who only uses names and routes pays neither the time nor the
4.5 MB (measured). It happens at once when the store holds checks that have to run again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from sidecar.catalog.query import check_statuses
from sidecar.config.model import Settings
from sidecar.config.units import endpoints
from sidecar.runtime import memory
from sidecar.runtime.clock import Clock
from sidecar.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from aiohttp import web

    from sidecar.catalog.model import Instance
    from sidecar.local_checks import LocalChecks
    from sidecar.web.door import Later, Short, ShortAnswer

__all__ = ["Api"]

_SETTLE: Final = 1.0  # seconds after loading, when its first answer is out


class Api:
    """A component: the routes under ``/v1`` and the local agent's checks."""

    name = "checks"

    def __init__(
        self, store: EmbeddedStore, settings: Settings, clock: Clock, elsewhere: str = ""
    ) -> None:
        """Serve ``store`` as an agent of the node in the settings.

        ``elsewhere``: the address of the store whose catalogue ``store`` only shows. Then its
        agents run the checks, and nothing is written here.
        """
        self._store = store
        self._elsewhere = elsewhere
        self._settings = settings
        self._clock = clock
        self._asked = asyncio.Event()
        self._loading = asyncio.Lock()
        self._loaded: tuple[list[web.RouteDef], LocalChecks] | None = None
        self._seen: Mapping[str, tuple[Instance, ...]] = {}
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
        if self._elsewhere:
            ready()
            await asyncio.get_running_loop().create_future()
        if not self._has_checks():
            ready()
            await self._needed()
            ready = _nothing
        _, checks = await self._load()
        await checks.run(ready)

    async def _needed(self) -> None:
        """Return when somebody asks, or a container comes with a check that has to run."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(), name="api first check")
            await self._asked.wait()
            watching.cancel()

    async def _watch(self) -> None:
        while not self._has_checks():
            await self._store.catalog.changed()
        self._asked.set()

    def _has_checks(self) -> bool:
        """Say whether what is new in the catalogue has a check to run."""
        snapshot, seen = self._store.catalog.snapshot, self._seen
        self._seen = snapshot.services
        return any(node.checks for node in snapshot.nodes.values()) or any(
            check.definition
            for name, members in snapshot.services.items()
            if seen.get(name) is not members
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
        from sidecar.web.consul.reading_only import reading_only  # noqa: PLC0415
        from sidecar.web.consul.whole import catalog_api  # noqa: PLC0415

        settings, store = self._settings, self._store
        node, datacenter = settings.registrar.node, settings.dns.datacenter
        address = settings.registrar.ip or "127.0.0.1"
        api = catalog_api(store, node, address, datacenter, self._clock)
        places = endpoints(f"{settings.http.listen},{settings.dns.listen}")
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
        if self._elsewhere:
            self._short = api.reading.short
            return reading_only([*kept, *api.routes()], self._elsewhere), checks
        self._short = shorts(api.reading.short, short_of(store.kv))
        return [*kept, *api.routes()], checks


def _nothing() -> None:
    """Be ready for the second time."""


def _import() -> None:
    """Import everything heavy, in a thread: the loop goes on."""
    import sidecar.local_checks  # noqa: PLC0415
    import sidecar.web.consul.api  # noqa: PLC0415
    import sidecar.web.consul.whole  # noqa: F401, PLC0415
