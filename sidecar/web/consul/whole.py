"""Agent, catalogue and health together, for the composition root."""

from aiohttp import web

from sidecar.runtime.clock import Clock
from sidecar.web.consul import about, agent, catalog, http_sd, refused
from sidecar.web.consul.commands import Commands, NoChecks, Runner, Store
from sidecar.web.consul.filters import compiled
from sidecar.web.consul.reading import Reading
from sidecar.web.consul.view import Local

__all__ = ["COMPATIBLE", "CatalogApi"]

COMPATIBLE = "1.8.7"
"""The version of Consul whose API this is; clients choose what to ask for by it."""


class CatalogApi:
    """The routes over one store, and the commands that checks report to."""

    def __init__(
        self, store: Store, local: Local, clock: Clock, runner: Runner | None = None
    ) -> None:
        """Serve ``store`` as the agent of ``local``; ``runner`` runs its checks."""
        self.commands = Commands(store, local.node, clock, runner or NoChecks())
        self.reading = Reading(store.catalog, local, compiled)
        self._store = store
        self._local = local
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return every route of this family; what is refused comes last."""
        return [
            *self.reading.routes(),
            *catalog.routes(self._store, self._local),
            *agent.routes(self.commands, self._store.catalog, self._local.node.name),
            *about.routes(self.reading, self._local, self._clock),
            *http_sd.routes(self.reading),
            *refused.routes(),
        ]

    def checks_of(self, node: str) -> dict[str, str] | None:
        """Return the statuses of a node's checks by id, or None for an unknown node."""
        view = self.reading.view
        found = view.node(node)
        if found is None:
            return None
        own = {check.id: check.status.value for check in found.checks}
        return own | {c.id: c.status.value for i in view.on_node(found.name) for c in i.checks}
