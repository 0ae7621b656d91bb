"""The component ``dnsd``: answers from a Source until it is cancelled."""

import asyncio
import random
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from dnsd.cache import Responder
from dnsd.connections import Connections, Limits
from dnsd.feed import Start
from dnsd.following import follow, stand
from dnsd.outward import outward
from dnsd.parts import Parts
from dnsd.server import Listener, SecureListener, make_room
from dnsd.service import Service
from dnsd.site import Site, site_of
from dnsd.telemetry import Telemetry
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint, dns_server, endpoints
from sidecar.errors import CertificateUnusable, ConfigError
from sidecar.runtime import log
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source

if TYPE_CHECKING:
    from dnsd.certificates import Certificates
    from dnsd.workers import Workers

__all__ = ["DnsServer", "needs_restart"]

_log = get_logger("dnsd")

_FIXED: Final = ("listen", "tls_listen", "https_listen", "workers")
"""Settings that only a restart changes: those of sockets."""


class DnsServer:
    """Serves the zones of the settings on each address in ``listen`` (comma separated)."""

    name = "dnsd"

    def __init__(
        self,
        source: Source,
        settings: DnsSettings,
        *,
        node_name: str,
        clock: Clock | None = None,
        limits: Limits | None = None,
        reuse_port: bool = False,
        away: Callable[[], str | None] = lambda: None,
        secret: bytes = b"",
        serial: int = 0,
    ) -> None:
        """Check the settings (raises ConfigError); nothing is opened yet.

        ``away`` tells what keeps the source from its store, if anything. ``secret`` (of cookies)
        and ``serial`` (of the SOA) are drawn when not given.
        """
        self._away = away
        self._source = source
        self._settings = settings
        self._node_name = node_name
        self._clock = SystemClock() if clock is None else clock
        self._given_limits = limits
        self._reuse_port = reuse_port or settings.workers > 1
        self._secret = secret or secrets.token_bytes(16)
        self._serial = serial or int(self._clock.wall())
        self._listen = endpoints(settings.listen)
        self._outward = outward(self._listen)
        self._certificates = _certificates(settings)
        site = self._site_of(settings)
        self._responder = Responder(
            source,
            site,
            serial=self._serial,
            draw=random.random,
            now=self._clock.wall,
        )
        self._parts = Parts(source, self._responder, self._clock)
        self._service = self._parts.service(settings, site)
        self.telemetry = Telemetry(self._responder)
        self._workers: Workers | None = None
        self._connections = Connections(self._clock, self._limits(settings))
        self._tasks: asyncio.TaskGroup | None = None
        self._background: list[asyncio.Task[None]] = []
        self.addresses: tuple[Endpoint, ...] = ()
        self.secure: dict[str, tuple[Endpoint, ...]] = {}

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; raises AddressInUse when an address cannot be had."""
        settings = self._settings
        listeners: list[Listener] = []
        secure: list[SecureListener] = []
        try:
            make_room(settings.tcp_max_conns + settings.max_concurrent_forwards)
            self._bind(listeners, secure)
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._start_background()
                try:
                    await self._serve(listeners, secure)
                    await self._share(tasks)
                    ready()
                    await self._connections.sweep()
                finally:
                    # While others are still asked on behalf of who waits.
                    for one in _all(listeners, secure):
                        one.stop()
                    await self._connections.close(hurry=self._stop_background)
                    self._stop_background()
        finally:
            self._tasks = None
            for one in _all(listeners, secure):
                one.close()

    async def reload(self, settings: object) -> None:
        """Take new settings, all or none, without closing a socket.

        Raises ConfigError and CertificateUnusable; what only a restart changes stays as it was.
        """
        if not isinstance(settings, DnsSettings):
            raise ConfigError(["dns: no settings of this part"])
        old = self._settings
        settings = replace(settings, **{name: getattr(old, name) for name in _FIXED})
        if settings == old:
            return
        site = self._site_of(settings)
        if self._certificates is not None:
            await self._certificates.replace(settings.tls_certificate, settings.tls_key)
        self._service.take(self._parts.service(settings, site))
        self._settings = settings
        self._responder.reconfigure(site)
        self._connections.limits = self._limits(settings)
        if self._workers is not None:
            self._workers.restart(self._start_of(settings))
        self._stop_background()
        self._start_background()
        _log.info("settings taken")

    def reload_soon(self, settings: DnsSettings) -> None:
        """Take new settings in a moment; what is wrong with them is logged, and the old stay."""

        async def reload() -> None:
            try:
                await self.reload(settings)
            except ConfigError as error:
                for problem in error.problems:
                    _log.error("settings not taken", problem=problem)
            except CertificateUnusable as error:
                _log.error("settings not taken", problem=error)

        if self._tasks is not None:
            self._tasks.create_task(reload(), name="dnsd reload")

    def trouble(self) -> str | None:
        """Say so while names that are missing cannot be called absent."""
        return None if self._source.synced else "the catalogue has not been read yet"

    def dig(self, name: str, type_: str) -> Mapping[str, Any]:
        """Return what a question gets and why; raises ValueError."""
        from dnsd.digging import dig  # noqa: PLC0415 - for people, who are rarely there

        return dig(self._service, name, type_)

    @property
    def service(self) -> Service:
        """What answers."""
        return self._service

    # --- from settings to parts ------------------------------------------------------------

    def _site_of(self, settings: DnsSettings) -> Site:
        name = settings.node_name or self._node_name
        return site_of(settings, self._listen, name, self._secret, self._outward)

    def _limits(self, settings: DnsSettings) -> Limits:
        return self._given_limits or Limits(
            idle=settings.tcp_idle_timeout,
            connections=settings.tcp_max_conns,
            per_client=settings.tcp_max_conns_per_ip,
        )

    # --- sockets and tasks -----------------------------------------------------------------

    def _bind(self, listeners: list[Listener], secure: list[SecureListener]) -> None:
        """Append each listener as it is bound, because those bound must be closed."""
        for at in self._listen:
            listeners.append(Listener(at, reuse_port=self._reuse_port))  # noqa: PERF401
        for at in endpoints(self._settings.tls_listen):
            secure.append(SecureListener(at, "tls", reuse_port=self._reuse_port))  # noqa: PERF401
        for at in endpoints(self._settings.https_listen):
            secure.append(SecureListener(at, "https", reuse_port=self._reuse_port))  # noqa: PERF401

    async def _serve(self, listeners: list[Listener], secure: list[SecureListener]) -> None:
        context = None if self._certificates is None else await self._certificates.load()
        for listener in listeners:
            await listener.start(self._service, self._connections, self.telemetry)
        for one in secure:
            if context is not None:
                await one.start(self._service, self._connections, self.telemetry, context)
        self.addresses = tuple(listener.address for listener in listeners)
        self.secure = {
            proto: tuple(one.address for one in secure if one.proto == proto)
            for proto in ("tls", "https")
        }
        told = {name: " ".join(map(str, at)) for name, at in self.secure.items() if at}
        _log.info("serving", addresses=" ".join(map(str, self.addresses)), **told)

    async def _share(self, tasks: asyncio.TaskGroup) -> None:
        """Start the other processes, and wait until they serve."""
        count = self._settings.workers - 1
        if count > 0:
            from dnsd.workers import Workers  # noqa: PLC0415 - one process is the default

            workers = Workers(self._source, self._away, self.telemetry, self._clock)
            self._workers = workers
            start = self._start_of(self._settings)
            tasks.create_task(workers.run(start, count), name="dnsd workers")
            await asyncio.sleep(0)
            await workers.ready()

    def _start_of(self, settings: DnsSettings) -> Start:
        listen = {
            "listen": ",".join(map(str, self.addresses)),
            **{f"{name}_listen": ",".join(map(str, at)) for name, at in self.secure.items()},
        }
        settings = replace(settings, workers=1, also_notify=(), **listen)
        name = settings.node_name or self._node_name
        return Start(settings, name, self._secret, self._serial, log.current())

    def _start_background(self) -> None:
        if self._tasks is None:
            return
        works: dict[str, Coroutine[Any, Any, None]] = {}
        service, settings = self._service, self._settings
        if service.recursion is not None:
            works["dnsd forwarding"] = service.recursion.resolver.run()
        if service.querylog is not None:
            works["dnsd query log"] = service.querylog.run(self._clock)
        if self._certificates is not None:
            works["dnsd certificates"] = self._certificates.follow(self._clock)
        works["dnsd standing"] = stand(
            self._source, self._responder, self._away, self._settings.max_stale, self._clock
        )
        works["dnsd following"] = follow(self._source, self._responder, self.telemetry, self._clock)
        if settings.also_notify:
            from dnsd.notify import notify_changes  # noqa: PLC0415 - few have secondaries

            works["dnsd notify"] = notify_changes(
                self._source,
                service,
                tuple(map(dns_server, settings.also_notify)),
                self._clock,
            )
        self._background = [self._tasks.create_task(w, name=name) for name, w in works.items()]

    def _stop_background(self) -> None:
        for task in self._background:
            task.cancel()
        self._background = []


def needs_restart(old: DnsSettings, new: DnsSettings) -> bool:
    """Say whether something differs that ``reload`` does not take."""
    return any(getattr(old, name) != getattr(new, name) for name in _FIXED)


def _all(
    listeners: list[Listener], secure: list[SecureListener]
) -> list[Listener | SecureListener]:
    return [*listeners, *secure]


def _certificates(settings: DnsSettings) -> "Certificates | None":
    if not settings.tls_listen and not settings.https_listen:
        return None
    from dnsd.certificates import Certificates  # noqa: PLC0415 - TLS only where it is wanted

    return Certificates(settings.tls_certificate, settings.tls_key)
