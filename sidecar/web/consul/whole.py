"""Agent, catalogue and health together, for the composition root."""

from uuid import NAMESPACE_DNS, uuid5

from aiohttp import web

from sidecar.catalog.agent import LocalNode
from sidecar.runtime.clock import Clock
from sidecar.web.consul import about, agent, catalog, coordinate, http_sd, refused
from sidecar.web.consul.commands import Commands, Store
from sidecar.web.consul.filters import compiled
from sidecar.web.consul.reading import Reading
from sidecar.web.consul.view import Local

__all__ = ["COMPATIBLE", "CatalogApi", "catalog_api"]

COMPATIBLE = "1.8.7"
"""The version of Consul whose API this is; clients choose what to ask for by it."""


class CatalogApi:
    """The routes over one store, and the commands that checks report to."""

    def __init__(self, store: Store, local: Local, clock: Clock) -> None:
        """Serve ``store`` as the agent of ``local``; checks run after ``commands.run_by``."""
        self.commands = Commands(store, local.node, clock)
        self.reading = Reading(store.catalog, local, compiled)
        self._store = store
        self._local = local
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return every route of this family; what is refused comes last."""
        return [
            *self.reading.routes(),
            *catalog.routes(self._store, self._local),
            *coordinate.routes(self._local, lambda name: self.reading.view.node(name) is not None),
            *agent.routes(self.commands, self._store.catalog, self._local.node.name),
            *about.routes(self.reading, self._local, self._clock),
            *http_sd.routes(self.reading),
            *refused.routes(),
        ]


def catalog_api(store: Store, node: str, address: str, datacenter: str, clock: Clock) -> CatalogApi:
    """Return the API of an agent with this name and address; its id follows from the name."""
    id_ = str(uuid5(NAMESPACE_DNS, node))
    local = LocalNode(name=node, address=address, id=id_)
    return CatalogApi(store, Local(node=local, datacenter=datacenter, version=COMPATIBLE), clock)
