"""Health and metrics over HTTP; ``/`` is 503 until files were published, as in git-sync."""

import asyncio

from sidecar.config.model import HttpSettings
from sidecar.runtime.component import Health, Phase
from sidecar.runtime.tls import without_authorities

__all__ = ["Status"]


class Status:
    """Serves, when there is an address to do it at."""

    def __init__(self, listen: str) -> None:
        """Listen there, or nowhere when it is empty."""
        self._listen = listen
        self.is_ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        if not self._listen:
            return
        with without_authorities():
            from aiohttp import web  # noqa: PLC0415  (most run without)

            from sidecar.catalog.live import Catalog  # noqa: PLC0415
            from sidecar.web.server import WebServer  # noqa: PLC0415

        async def home(_: web.Request) -> web.Response:
            if self.is_ready.is_set():
                return web.Response(text="ok\n")
            return web.Response(status=503, text="nothing is published yet\n")

        catalog = Catalog()
        catalog.mark_synced()
        server = WebServer(
            catalog,
            # Who may look at metrics and health may see all there is.
            HttpSettings(listen=self._listen, insecure=True),
            health=lambda: {"git-sync": Health(self._phase(), 0, None)},
            stopping=lambda: False,
            more=[web.get("/", home)],
        )
        await server.run(lambda: None)

    def _phase(self) -> Phase:
        return Phase.READY if self.is_ready.is_set() else Phase.STARTING
