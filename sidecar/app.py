"""Composition root of ``pinnace up``: the only place that knows every feature.

A feature is imported when it is switched on, so that what is off costs no memory.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import uvloop
from msgspec.structs import replace

from sidecar import __version__
from sidecar.api import Api
from sidecar.config.load import Loaded
from sidecar.config.model import Settings
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError
from sidecar.greeting import greeting
from sidecar.runtime import log, memory
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component, Health, Phase
from sidecar.runtime.notify import Notifier
from sidecar.runtime.overload import Overload
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.tls import without_authorities
from sidecar.runtime.watchdog import Watchdog
from sidecar.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from templater.component import LoadBalancer

__all__ = ["main"]

_SETTLE = 1.0  # seconds after the start, when nobody waits for the first answer any more

_log = log.get_logger("app")


def main(loaded: Loaded, again: Callable[[], Loaded]) -> int:
    """Run everything for one host until a signal; return the exit status.

    ``again`` reads the settings anew, for SIGHUP. Raises the PinnaceError that kept a part from
    starting.
    """
    settings = _with_host(loaded.settings)
    log.configure(settings.log.format, settings.log.level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_up(settings, again))


def _with_host(settings: Settings) -> Settings:
    """Fill in the node's name; before the loop runs, because the system is asked."""
    if settings.registrar.node:
        return settings
    from registrar.host import default_node  # noqa: PLC0415

    return replace(settings, registrar=replace(settings.registrar, node=default_node()))


async def _up(settings: Settings, again: Callable[[], Loaded]) -> int:
    _log.info("starting", version=__version__, pid=os.getpid())
    async with AsyncExitStack() as stack:
        store = await EmbeddedStore.open(settings.store.state_dir, recover=settings.store.recover)
        stack.push_async_callback(store.close)
        notifier = Notifier(os.environ)
        supervisor = await _supervisor(settings, store, notifier, stack)
        _handle_signals(supervisor, settings, again)

        def started() -> None:
            asyncio.get_running_loop().call_later(_SETTLE, memory.settle)
            notifier.ready(f"serving on {settings.http.listen}")
            if sys.stdout.isatty():
                sys.stdout.write(greeting(store.catalog.snapshot, settings))
                sys.stdout.flush()

        try:
            await supervisor.run(started)
        except asyncio.CancelledError:
            _log.warning("stopped at once")
            return 1
        finally:
            notifier.stopping()
    _log.info("stopped")
    return 0


async def _supervisor(
    settings: Settings, store: EmbeddedStore, notifier: Notifier, stack: AsyncExitStack
) -> Supervisor:
    with without_authorities():
        from sidecar.web.server import WebServer  # noqa: PLC0415

    node = settings.registrar.node
    clock = SystemClock()
    balancer = _balancer(settings, store)

    api = Api(store, settings, clock)

    def health() -> Mapping[str, Health]:
        return {"store": Health(Phase.READY, 0, store.trouble()), **supervisor.health()}

    web = WebServer(
        store.catalog,
        settings.http,
        health=health,
        stopping=lambda: supervisor.stopping,
        lb_status=balancer.status if balancer is not None else lambda: None,
        api=api.routes,
        short=api.short,
        names=frozenset({settings.dns.domain, settings.dns.alt_domain, node} - {""}),
    )
    watchdog = Watchdog(clock, notifier)
    parts: list[Component] = [
        watchdog,
        Overload(clock, web.shed, lag=lambda: watchdog.lag),
        *store.components,
        api,
        web,
        await _registrar(settings, store, stack),
        _dns(settings, store),
    ]
    if balancer is not None:
        parts.append(balancer)
    supervisor = Supervisor(parts, clock=clock)
    return supervisor


async def _registrar(settings: Settings, store: EmbeddedStore, stack: AsyncExitStack) -> Component:
    from registrar.component import Registrar  # noqa: PLC0415
    from registrar.host import default_address  # noqa: PLC0415
    from sidecar.engine.client import Engine  # noqa: PLC0415

    engine = Engine(settings.docker.url)
    stack.push_async_callback(engine.close)
    return Registrar(
        engine,
        store,
        settings.registrar,
        node=settings.registrar.node,
        address=settings.registrar.ip or await asyncio.to_thread(default_address),
        ping=settings.docker.ping,
    )


def _dns(settings: Settings, store: EmbeddedStore) -> Component:
    from dnsd.component import DnsServer  # noqa: PLC0415

    return DnsServer(store.catalog, settings.dns, node_name=settings.registrar.node)


def _balancer(settings: Settings, store: EmbeddedStore) -> "LoadBalancer | None":
    if settings.lb.kind == "none":
        return None
    from templater.component import LoadBalancer  # noqa: PLC0415

    listens = (settings.http.listen, settings.dns.listen, settings.lb.listen)
    return LoadBalancer(
        store.catalog,
        settings.lb,
        domains=(settings.dns.domain, settings.dns.alt_domain),
        reserved_ports=frozenset(endpoint(text).port for text in listens),
    )


def _handle_signals(
    supervisor: Supervisor, settings: Settings, again: Callable[[], Loaded]
) -> None:
    """First SIGTERM or SIGINT: orderly stop; second: at once. SIGHUP: read settings again."""
    loop = asyncio.get_running_loop()
    everything = asyncio.current_task()

    def stop(name: str) -> None:
        if not supervisor.stopping:
            _log.info("stopping", signal=name)
            supervisor.stop()
        elif everything is not None:
            everything.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop, "SIGTERM")
    loop.add_signal_handler(signal.SIGINT, stop, "SIGINT")
    loop.add_signal_handler(signal.SIGHUP, _reload, settings, again)


def _reload(old: Settings, again: Callable[[], Loaded]) -> None:
    """Take a new log level and format; say which other changes wait for a restart."""
    try:
        fresh = _with_host(again().settings)
    except ConfigError as error:
        for problem in error.problems:
            _log.error("settings not taken", problem=problem)
        return
    log.configure(fresh.log.format, fresh.log.level)
    waiting = [
        name
        for name in ("docker", "store", "registrar", "dns", "http", "lb")
        if getattr(fresh, name) != getattr(old, name)
    ]
    _log.info("settings read again", restart_needed_for=",".join(waiting) or "nothing")
