"""The registrar alone: one engine, its stores, and nothing else in the process."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import uvloop

from registrar.component import Registrar
from registrar.draining import Drainer
from registrar.endings import Endings
from registrar.host import default_node, host_addresses, is_in_container
from registrar.interfaces import asks_engine
from registrar.options import Options
from registrar.ports import Place, place_of
from registrar.preview import as_json, as_text
from registrar.rehearsal import rehearsed
from registrar.sweep import Sweep
from registrar.tagging import tagging_of
from sidecar.catalog.model import Node
from sidecar.config.model import HttpSettings, RegistrarSettings
from sidecar.engine.client import Engine
from sidecar.errors import PinnaceError, StoreDenied, StoreUnavailable
from sidecar.runtime import log, memory
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component
from sidecar.runtime.notify import Notifier
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.watchdog import Watchdog
from sidecar.stores.base import Edge, EdgeOptions

__all__ = ["run"]

EMBEDDED = "embedded:"
FAILURE = 1  # Registrator knows no other
_SETTLE = 1.0  # seconds after the start, when nobody waits for the first answer any more

_clock = SystemClock()
_log = log.get_logger("registrar")


def run(options: Options) -> int:
    """Run until a signal, logging as was configured; return the exit status."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(options))


async def _run(options: Options) -> int:
    async with AsyncExitStack() as stack:
        try:
            engine = Engine(options.docker.url, extra_tags=tagging_of(options.settings.tags))
            stack.push_async_callback(engine.close)
            place = await _place(options, engine)
            edges = [_edge(url, options, place) for url in options.stores]
            for edge in edges:
                stack.push_async_callback(edge.close)
            if options.preview:
                return await _preview(options, engine, edges, place)
            await _answering(edges, options)
            if options.settings.compat:
                await engine.running()  # as Registrator, which ends when it cannot list
        except PinnaceError as error:
            _log.error("cannot start", action="fatal", reason=error)
            return FAILURE
        except asyncio.CancelledError:
            return FAILURE
        return await _serve(options, engine, edges, place)


async def _preview(options: Options, engine: Engine, edges: Sequence[Edge], place: Place) -> int:
    settings = options.settings
    sweep = Sweep(Endings(settings.deregister, settings.compat), cleanup=settings.cleanup)
    found = await rehearsed(engine, edges, place, adopts=settings.cleanup, removes=not sweep.is_off)
    told = as_json if options.preview == "json" else as_text
    sys.stdout.write(told(found.by_store, found.problems, found.removed) + "\n")
    return 0


async def _serve(options: Options, engine: Engine, edges: Sequence[Edge], place: Place) -> int:
    notifier = Notifier(os.environ)
    registrar = Registrar(engine, edges, options.settings, place=place, ping=options.docker.ping)
    parts: list[Component] = [Watchdog(_clock, notifier)]
    parts += [part for edge in edges for part in edge.components]
    parts.append(registrar)
    if options.http:
        parts.insert(1, _web(options, engine, registrar, lambda: supervisor))
    supervisor = Supervisor(parts, clock=_clock)
    stop_on_signals(supervisor, _log)

    def started() -> None:
        asyncio.get_running_loop().call_later(_SETTLE, memory.settle)
        notifier.ready("registering")

    try:
        await supervisor.run(started)
    except asyncio.CancelledError:
        _log.warning("stopped at once")
        return FAILURE
    except PinnaceError as error:
        _log.error("cannot go on", action="fatal", reason=error)
        return FAILURE
    finally:
        notifier.stopping()
    _log.info("stopped")
    return 0


def _web(
    options: Options, engine: Engine, registrar: Registrar, supervisor: Callable[[], Supervisor]
) -> Component:
    from sidecar.web.drain import drain_routes  # noqa: PLC0415 - the server only when asked for
    from sidecar.web.status import StatusServer  # noqa: PLC0415

    return StatusServer(
        HttpSettings(listen=options.http),
        health=lambda: supervisor().health(),
        outages=registrar.outages,
        stopping=lambda: supervisor().stopping,
        more=drain_routes(Drainer(engine, registrar, _clock)),
    )


def _edge(url: str, options: Options, place: Place) -> Edge:
    if url == EMBEDDED:
        from registrar.embedded import EmbeddedEdge  # noqa: PLC0415
        from sidecar.catalog.live import Catalog  # noqa: PLC0415
        from sidecar.stores.embedded import EmbeddedStore  # noqa: PLC0415

        node = Node(name=place.node, address=place.address)
        return EmbeddedEdge(EmbeddedStore(Catalog()), node)
    from sidecar.stores.opening import open_edge  # noqa: PLC0415

    settings = options.settings
    edge_options = EdgeOptions(
        ttl=settings.ttl,
        refresh=settings.ttl_refresh,
        is_marked=not settings.compat,
        is_original=settings.compat,
        v2_first=options.v2_first,
    )
    return open_edge(url, edge_options, clock=_clock)


async def _answering(edges: Sequence[Edge], options: Options) -> None:
    """Return when each store has answered, or at once when we would wait for ever.

    Then the start is not held up: what is wanted waits in each store's queue. Raises
    StoreUnavailable after the attempts; n attempts are n+1 pings.
    """
    attempts = options.settings.retry_attempts
    if attempts < 0:
        return
    for edge in edges:
        for left in range(attempts, -1, -1):
            try:
                await edge.ping()
                break
            except (StoreUnavailable, StoreDenied) as error:
                if not left:
                    raise
                _log.warning("store does not answer, trying on", store=edge.url, reason=error)
                await _clock.sleep(options.settings.retry_interval)


async def _place(options: Options, engine: Engine) -> Place:
    settings = options.settings
    own = await asyncio.to_thread(default_node)
    name = own if options.address_from == "name" else ""
    address, second = await asyncio.to_thread(host_addresses, settings, name=name)
    return place_of(
        settings,
        node=settings.node or await _node(settings, own, engine),
        address=address,
        second=second,
        is_ours=EMBEDDED in options.stores,
    )


async def _node(settings: RegistrarSettings, own: str, engine: Engine) -> str:
    """Return the host's name; in a container the own one may be its id, so the engine is asked."""
    inside = await asyncio.to_thread(is_in_container)
    if not asks_engine(settings, own, is_in_container=inside):
        return own
    backoff = Backoff(0.1, 5.0)
    while True:
        try:
            return (await engine.info()).name or own
        except PinnaceError as error:
            if settings.compat:
                raise
            _log.warning("the engine does not say its name, trying on", reason=error)
            await _clock.sleep(backoff.next())
