"""The agent alone in its process."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final

import uvloop

from sidecar.engine.operations import Operations
from sidecar.errors import PinnaceError
from sidecar.runtime import log
from sidecar.runtime.clock import LeaseClock
from sidecar.runtime.notify import Notifier
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor
from sidecar.runtime.watchdog import Watchdog
from sidecar.scheduler.agent.component import Agent
from sidecar.scheduler.agent.halting import Halter
from sidecar.scheduler.agent.lease import NodeLease, boot_id
from sidecar.stores.opening import open_keyvalue

__all__ = ["MARGIN", "run"]

MARGIN: Final = 0.25
"""Of a lease: so long before its end the stopping begins."""
_log = log.get_logger("agent")


def run(node: str, store: str, docker: str, ttl: float, about: Mapping[str, Any]) -> int:
    """Run until a signal, logging as was configured; return the exit status."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(node, store, docker, ttl, about))


async def _run(node: str, store: str, docker: str, ttl: float, about: Mapping[str, Any]) -> int:
    clock, margin, notifier = LeaseClock(), ttl * MARGIN, Notifier(os.environ)
    keys = open_keyvalue(store, clock=clock)
    operations = Operations(docker)
    lease = NodeLease(keys, node, boot_id(), ttl=ttl, margin=margin, clock=clock, about=about)
    agent = Agent(lease, Halter(operations, grace=margin / 2), clock=clock)
    supervisor = Supervisor([Watchdog(clock, notifier), agent], clock=clock)
    stop_on_signals(supervisor, _log)
    try:
        await supervisor.run(lambda: notifier.ready("holding the lease"))
    except asyncio.CancelledError:
        _log.warning("stopped at once")
        return 1
    except PinnaceError as error:
        _log.error("cannot go on", reason=error)
        return error.exit_status
    finally:
        notifier.stopping()
        await operations.close()
        await keys.close()
    return 0
