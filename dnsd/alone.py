"""dnsd alone: a store's catalogue, the server, and nothing else in the process."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Mapping

import uvloop

from dnsd.component import DnsServer, needs_restart
from sidecar import __version__
from sidecar.catalog.live import Catalog
from sidecar.config.load import Loaded
from sidecar.config.units import endpoint
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime import log, memory
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component, Health
from sidecar.runtime.notify import Notifier
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.tls import without_authorities
from sidecar.runtime.watchdog import Watchdog
from sidecar.stores.opening import open_mirror

__all__ = ["run"]

_SETTLE = 1.0  # seconds after the start, when nobody waits for the first answer any more
_FAILURE = 1

_log = log.get_logger("dnsd")


def run(loaded: Loaded, again: Callable[[], Loaded], *, http: str | None) -> int:
    """Run until a signal; return the exit status.

    ``again`` reads the settings anew, for SIGHUP.
    """
    gc.disable()  # imports make no garbage
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(loaded, again, http))


async def _run(loaded: Loaded, again: Callable[[], Loaded], http: str | None) -> int:
    settings = loaded.settings
    clock = SystemClock()
    catalog = Catalog()
    _log.info("starting", version=__version__, pid=os.getpid())
    with without_authorities():
        mirror = open_mirror(settings.store.url, catalog, clock=clock)
    server = DnsServer(
        catalog,
        settings.dns,
        node_name=socket.gethostname(),
        clock=clock,
        away=mirror.trouble,
    )
    notifier = Notifier(os.environ)
    parts: list[Component] = [Watchdog(clock, notifier), server, mirror]

    def health() -> Mapping[str, Health]:
        return supervisor.health()

    if http is not None:
        from dnsd.status import StatusServer  # noqa: PLC0415

        status = StatusServer(
            endpoint(http),
            clock,
            health=health,
            dig=server.dig,
            is_read=lambda: catalog.synced,
        )
        parts.insert(1, status)
    supervisor = Supervisor(parts, clock=clock)
    stop_on_signals(supervisor, _log)

    def reload() -> None:
        try:
            fresh = again().settings
        except ConfigError as error:
            for problem in error.problems:
                _log.error("settings not taken", problem=problem)
            return
        log.configure(fresh.log.format, fresh.log.level)
        if fresh.store != settings.store or needs_restart(settings.dns, fresh.dns):
            _log.warning("some settings wait for a restart: store, listen, workers")
        server.reload_soon(fresh.dns)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)

    def started() -> None:
        asyncio.get_running_loop().call_later(_SETTLE, memory.settle)
        notifier.ready("answering")

    try:
        await supervisor.run(started)
    except asyncio.CancelledError:
        _log.warning("stopped at once")
        return _FAILURE
    except PinnaceError as error:
        _log.error("cannot go on", reason=error)
        return error.exit_status
    finally:
        notifier.stopping()
    _log.info("stopped")
    return 0
