"""What a process does with the signals that end it."""

import asyncio
import signal

from sidecar.runtime.log import Logger
from sidecar.runtime.supervisor import Supervisor

__all__ = ["stop_on_signals"]


def stop_on_signals(supervisor: Supervisor, log: Logger) -> None:
    """First SIGTERM or SIGINT: orderly stop; second: the present task is cancelled."""
    loop = asyncio.get_running_loop()
    everything = asyncio.current_task()

    def stop(name: str) -> None:
        if not supervisor.stopping:
            log.info("stopping", signal=name)
            supervisor.stop()
        elif everything is not None:
            everything.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop, "SIGTERM")
    loop.add_signal_handler(signal.SIGINT, stop, "SIGINT")
