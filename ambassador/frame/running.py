"""Run the parts of an ambassador alone: supervision, signals, reload."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

from ambassador.frame.address import Address
from ambassador.frame.members import Follows, Listed
from sidecar.errors import PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component
from sidecar.runtime.log import get_logger
from sidecar.runtime.memory import settle
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor

__all__ = ["run_parts", "source_of"]

_log = get_logger("ambassador")


def source_of(
    store: str, service: str, servers: Sequence[Address]
) -> tuple[list[Component], Follows]:
    """Return where servers are learned from, and what has to run for it. Raises ConfigError."""
    if not service:
        return [], Listed(servers)
    # They load aiohttp and more, which most ambassadors never need.
    from ambassador.frame.catalogued import Catalogued  # noqa: PLC0415
    from sidecar.catalog.live import Catalog  # noqa: PLC0415
    from sidecar.stores.opening import open_mirror  # noqa: PLC0415

    catalog = Catalog()
    return [open_mirror(store, catalog, clock=SystemClock())], Catalogued(catalog, service)


async def run_parts(
    parts: Sequence[Component], reload: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run until a signal; SIGHUP calls ``reload``."""
    supervisor = Supervisor(parts, clock=SystemClock(), grace=10.0)
    stop_on_signals(supervisor, _log)
    if reload is None:
        said = "there is no file to read again"
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.info, said)
        await supervisor.run(settle)
        return
    failure: PinnaceError | None = None
    async with asyncio.TaskGroup() as group:
        hup = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hup.set)
        reloading = group.create_task(_reloading(hup, reload), name="reload")
        try:
            await supervisor.run(settle)
        except PinnaceError as error:
            failure = error  # not as one of a group, which nobody would read
        finally:
            reloading.cancel()
    if failure is not None:
        raise failure


async def _reloading(hup: asyncio.Event, reload: Callable[[], Awaitable[None]]) -> None:
    while True:
        await hup.wait()
        hup.clear()
        try:
            await reload()
        except PinnaceError as error:
            for problem in getattr(error, "problems", [str(error)]):
                _log.error("reload is refused, all stays as it was", problem=problem)
