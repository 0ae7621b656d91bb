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
from sidecar.catalog.live import Catalog
from sidecar.config.load import Loaded
from sidecar.config.model import Settings
from sidecar.config.rules import redacted
from sidecar.errors import ConfigError
from sidecar.greeting import greeting
from sidecar.runtime import log, memory
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.component import Component, Health, Phase
from sidecar.runtime.notify import Notifier
from sidecar.runtime.overload import Overload
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.tls import without_authorities
from sidecar.runtime.watchdog import Watchdog
from sidecar.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from dnsd.component import DnsServer
    from sidecar.catalog.work import Drains
    from sidecar.hosts import Host, Maker
    from sidecar.roster import Roster
    from sidecar.scheduling import Scheduling
    from sidecar.stores.base import KeyValue, Mirror
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
        store = await _store(settings)
        stack.push_async_callback(store.close)
        notifier = Notifier(os.environ)
        mirror = _mirror(settings, store, SystemClock())
        dns = _dns(settings, store, mirror)
        supervisor = await _supervisor(settings, store, notifier, stack, mirror=mirror, dns=dns)
        _handle_signals(supervisor, settings, again, dns)

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
    settings: Settings,
    store: EmbeddedStore,
    notifier: Notifier,
    stack: AsyncExitStack,
    *,
    mirror: "Mirror | None",
    dns: "DnsServer",
) -> Supervisor:
    with without_authorities():
        from sidecar.web.dig import dig_routes  # noqa: PLC0415
        from sidecar.web.drain import drain_routes  # noqa: PLC0415
        from sidecar.web.server import WebServer  # noqa: PLC0415
    node = settings.registrar.node
    clock = SystemClock()
    balancer = _balancer(settings, store)
    from sidecar.hosts import Maker  # noqa: PLC0415 - memory: what it imports comes last

    maker = Maker(settings, store, clock, stack, work=balancer, is_shared=mirror is not None)
    roster = await _roster(settings, store, clock, stack, work=balancer, mirror=mirror)
    hosts = await _hosts(maker) if roster is None else roster.hosts
    elsewhere = redacted(settings.store.url) if mirror is not None else ""
    api = Api(store, settings, clock, elsewhere=elsewhere)

    def health() -> Mapping[str, Health]:
        kept = store if mirror is None else mirror
        return {"store": Health(Phase.READY, 0, kept.trouble()), **supervisor.health()}

    scheduling = await _scheduling(
        settings, store, hosts, clock, stack, balancer=balancer, health=health, roster=roster
    )
    web = WebServer(
        store.catalog,
        settings.http,
        health=health,
        stopping=lambda: supervisor.stopping,
        lb_status=balancer.report if balancer is not None else None,
        api=api.routes,
        short=api.short,
        more=(*drain_routes(_drains(hosts, is_alone=roster is None)), *dig_routes(dns.dig)),
        names=frozenset({settings.dns.domain, settings.dns.alt_domain, node} - {""}),
    )
    watchdog = Watchdog(clock, notifier)
    parts: list[Component] = [
        watchdog,
        Overload(clock, web.shed, lag=lambda: watchdog.lag),
        *(store.components if mirror is None else ()),
        *(
            []
            if roster is not None
            else [p for h in hosts.values() for e in h.edges for p in e.components]
        ),
        api,
        web,
        *((roster,) if roster is not None else (host.registrar for host in hosts.values())),
        dns,
        # Late, because it is ready only when the store has answered.
        *(() if mirror is None else (mirror,)),
    ]
    if balancer is not None:
        parts.append(balancer)
    if settings.template:
        from templater.own.component import Templates  # noqa: PLC0415

        keys = store.kv if mirror is None else _keys(settings, clock, stack)
        parts.append(Templates(store.catalog, keys, settings.template, clock=clock))
    if scheduling is not None:
        parts += scheduling.components
    supervisor = Supervisor(parts, clock=clock)
    return supervisor


async def _store(settings: Settings) -> EmbeddedStore:
    """Return the catalogue: ours, or an empty one in memory that a mirror fills."""
    if _is_embedded(settings):
        return await EmbeddedStore.open(settings.store.state_dir, recover=settings.store.recover)
    if settings.store.state_dir:
        _log.warning("the state directory is not used: the store is elsewhere")
    return EmbeddedStore(Catalog())


def _is_embedded(settings: Settings) -> bool:
    return settings.store.url == "embedded:"


def _mirror(settings: Settings, store: EmbeddedStore, clock: Clock) -> "Mirror | None":
    if _is_embedded(settings):
        return None
    from sidecar.stores.opening import open_mirror  # noqa: PLC0415

    return open_mirror(settings.store.url, store.catalog, clock=clock)


def _keys(settings: Settings, clock: Clock, stack: AsyncExitStack) -> "KeyValue":
    """Return the keys of the store that the catalogue mirrors."""
    from sidecar.stores.opening import open_keyvalue  # noqa: PLC0415

    keys = open_keyvalue(settings.store.url, clock=clock)
    if (close := getattr(keys, "close", None)) is not None:
        stack.push_async_callback(close)
    return keys


async def _hosts(maker: "Maker") -> "Mapping[str, Host]":
    """Return this host alone."""
    host = await maker.this_one()
    return {host.settings.name: host}


async def _roster(
    settings: Settings,
    store: EmbeddedStore,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    work: "LoadBalancer | None",
    mirror: "Mirror | None",
) -> "Roster | None":
    """Return who keeps the hosts that are listed, if any are."""
    given = settings.scheduler
    if not given.nodes:
        return None
    from sidecar.hosts import Maker  # noqa: PLC0415
    from sidecar.roster import Roster  # noqa: PLC0415
    from sidecar.scheduling import STORE, nodes_of  # noqa: PLC0415

    keys: KeyValue | None = None
    if STORE in given.nodes.split(","):
        keys = store.kv if mirror is None else _keys(settings, clock, stack)
    is_shared = mirror is not None
    roster = Roster(
        lambda: nodes_of(given),
        keys,
        lambda own: Maker(settings, store, clock, own, work=work, is_shared=is_shared),
        clock=clock,
    )
    await roster.open()
    return roster


def _drains(hosts: "Mapping[str, Host]", *, is_alone: bool) -> "Drains":
    if is_alone:
        return next(iter(hosts.values())).drainer
    from sidecar.fleet import AllDrains  # noqa: PLC0415

    return AllDrains(hosts.values())


async def _scheduling(
    settings: Settings,
    store: EmbeddedStore,
    hosts: "Mapping[str, Host]",
    clock: Clock,
    stack: AsyncExitStack,
    *,
    balancer: "LoadBalancer | None",
    health: Callable[[], Mapping[str, Health]],
    roster: "Roster | None",
) -> "Scheduling | None":
    given = settings.scheduler
    if not (given.on or given.stack or given.nodes):
        return None
    from sidecar.scheduling import scheduled  # noqa: PLC0415

    shared = None if _is_embedded(settings) else _keys(settings, clock, stack)
    keys = store.kv if shared is None else shared
    return await scheduled(
        settings, hosts, keys, clock=clock, stack=stack, balancer=balancer, shared=shared,
        health=health, roster=roster,
    )  # fmt: skip


def _dns(settings: Settings, store: EmbeddedStore, mirror: "Mirror | None") -> "DnsServer":
    from dnsd.component import DnsServer  # noqa: PLC0415

    return DnsServer(
        store.catalog,
        settings.dns,
        node_name=settings.registrar.node,
        away=lambda: None if mirror is None else mirror.trouble(),
    )


def _balancer(settings: Settings, store: EmbeddedStore) -> "LoadBalancer | None":
    if settings.lb.kind == "none":
        return None
    from sidecar.hosts import own_ports  # noqa: PLC0415
    from templater.component import LoadBalancer  # noqa: PLC0415

    return LoadBalancer(
        store.catalog,
        settings.lb,
        domains=(settings.dns.domain, settings.dns.alt_domain),
        reserved_ports=own_ports(settings),
    )


def _handle_signals(
    supervisor: Supervisor, settings: Settings, again: Callable[[], Loaded], dns: "DnsServer"
) -> None:
    """First SIGTERM or SIGINT: orderly stop; second: at once. SIGHUP: read settings again."""
    stop_on_signals(supervisor, _log)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, settings, again, dns)


def _reload(old: Settings, again: Callable[[], Loaded], dns: "DnsServer") -> None:
    """Take new settings of the log and of DNS; say which other changes wait for a restart."""
    from dnsd.component import needs_restart  # noqa: PLC0415

    try:
        fresh = _with_host(again().settings)
    except ConfigError as error:
        for problem in error.problems:
            _log.error("settings not taken", problem=problem)
        return
    log.configure(fresh.log.format, fresh.log.level)
    dns.reload_soon(fresh.dns)
    waiting = [
        name
        for name in ("docker", "store", "registrar", "http", "lb", "template")
        if getattr(fresh, name) != getattr(old, name)
    ]
    if needs_restart(old.dns, fresh.dns):
        waiting.append("dns")
    _log.info("settings read again", restart_needed_for=",".join(waiting) or "nothing")
