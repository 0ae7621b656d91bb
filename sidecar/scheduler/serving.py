"""The scheduler's own door: its API and page on a socket file, and by TCP where that is asked for.

It is not on the address of ``http.listen``: who may give orders here rules the hosts, and there
everybody on this host may ask.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from sidecar.catalog.live import Catalog
from sidecar.config.model import HttpSettings, SchedulerSettings
from sidecar.errors import AddressInUse
from sidecar.metrics import gauge
from sidecar.runtime.component import Component, Health
from sidecar.runtime.log import get_logger
from sidecar.scheduler.api import api_routes
from sidecar.scheduler.client import default_socket
from sidecar.scheduler.control import Control
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.model import Policy
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.page import page
from sidecar.scheduler.telling import Teller, document_of
from sidecar.web.entrance import Entrance, at_address, at_path
from sidecar.web.server import WebServer

__all__ = ["Panel", "panels"]

_leads = gauge("pinnace_scheduler_leader", "1 where this scheduler acts")
_log = get_logger("scheduler")


class Panel:
    """Component: serves one entrance."""

    def __init__(self, name: str, server: WebServer, *, may_be_taken: bool) -> None:
        """``may_be_taken``: nobody chose the place, so another scheduler there is no mistake."""
        self.name = name
        self._server = server
        self._may_be_taken = may_be_taken

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse and ConfigError."""
        try:
            await self._server.run(ready)
        except AddressInUse as error:
            if not self._may_be_taken:
                raise
            _log.warning("no orders are taken: choose another scheduler.api", reason=error)
            ready()
            await asyncio.get_running_loop().create_future()


def panels(
    settings: SchedulerSettings,
    control: Control,
    orders: Orders,
    journal: Journal,
    *,
    leads: Callable[[], bool],
    health: Callable[[], Mapping[str, Health]],
    environ: Mapping[str, str],
    policy: Policy | None = None,
) -> list[Component]:
    """Return what serves the scheduler's API. Reads files. Raises ConfigError."""
    teller = Teller(control, leads, policy)
    _leads.labels().set_function(lambda: float(leads()))
    path = Path(settings.api) if settings.api else default_socket(environ)
    entrances = [("scheduler api", at_path(path), not settings.api)]
    if settings.listen:
        by_tcp = at_address(
            settings.listen, token_file=settings.token_file, certificate=settings.tls_certificate,
            key=settings.tls_key, ca=settings.tls_ca, option="scheduler.listen",
        )  # fmt: skip
        entrances.append(("scheduler api by tcp", by_tcp, False))
    return [
        Panel(name, _server(entrance, teller, orders, journal, health), may_be_taken=may)
        for name, entrance, may in entrances
    ]


def _server(
    entrance: Entrance,
    teller: Teller,
    orders: Orders,
    journal: Journal,
    health: Callable[[], Mapping[str, Health]],
) -> WebServer:
    def shown() -> str:
        _, entries = journal.since(max(0, journal.last - 100))
        return page(teller.stacks(), teller.nodes(), [document_of(each) for each in entries])

    catalog = Catalog()
    catalog.mark_synced()  # whether this door is ready has nothing to do with the catalogue
    return WebServer(
        catalog,
        HttpSettings(),
        health=health,
        stopping=lambda: False,
        more=api_routes(teller, orders, journal),
        dashboard=shown,
        entrance=entrance,
    )
