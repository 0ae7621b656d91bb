"""Adapters as a process of its own: their components under one supervisor, until a signal."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from sidecar.errors import PinnaceError
from sidecar.runtime import log, memory
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component
from sidecar.runtime.notify import Notifier
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.watchdog import Watchdog

__all__ = ["Rereading", "Stopping", "run"]

FAILURE = 1
_SETTLE = 1.0

_log = log.get_logger("adapter")


@runtime_checkable
class Rereading(Protocol):
    """Optional: reads its file again (SIGHUP); says itself how that went."""

    async def reread(self) -> None:
        """Take the new file whole or keep the old."""


@runtime_checkable
class Stopping(Protocol):
    """Optional: may end the process."""

    def stops_by(self, stop: Callable[[], None]) -> None:
        """Keep what is called for that."""


def run(components: Sequence[Component], *, is_busy: bool = False) -> int:
    """Run until a signal, logging as was configured; return the exit status.

    ``is_busy``: with the quick loop, which takes 2 MB that a scrape now and then does not need.
    """
    make = None
    if is_busy:
        import uvloop  # noqa: PLC0415 - memory

        make = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=make) as runner:
        return runner.run(_run(components))


async def _run(components: Sequence[Component]) -> int:
    clock = SystemClock()
    notifier = Notifier(os.environ)
    supervisor = Supervisor([Watchdog(clock, notifier), *components], clock=clock)
    stop_on_signals(supervisor, _log)
    for component in components:
        if isinstance(component, Stopping):
            component.stops_by(supervisor.stop)

    def started() -> None:
        asyncio.get_running_loop().call_later(_SETTLE, memory.settle)
        notifier.ready("serving")

    try:
        async with asyncio.TaskGroup() as group:
            hangup = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, hangup.set)
            rereading = group.create_task(_reread(components, hangup), name="reread")
            await supervisor.run(started)
            rereading.cancel()
    except asyncio.CancelledError:
        _log.warning("stopped at once")
        return FAILURE
    except ExceptionGroup as errors:
        return _ended_by(errors)
    finally:
        notifier.stopping()
    _log.info("stopped")
    return 0


def _ended_by(errors: ExceptionGroup) -> int:
    cause = errors.exceptions[0]
    if not isinstance(cause, PinnaceError):
        raise errors
    _log.error("cannot go on", reason=cause)
    return cause.exit_status


async def _reread(components: Sequence[Component], hangup: asyncio.Event) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        for component in components:
            if isinstance(component, Rereading):
                await component.reread()
