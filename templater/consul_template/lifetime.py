"""What lasts as long as the process: its pid file, its signals, its metrics, systemd's word.

consul-template and envconsul share it; what a signal means to each is their own.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sidecar.errors import ConfigError, PermanentError
from sidecar.runtime.log import Logger
from sidecar.runtime.notify import Notifier
from templater.consul_template.settings import Settings
from templater.health import telemetry

__all__ = ["lifetime", "listen", "read_again"]

S = TypeVar("S")


@asynccontextmanager
async def lifetime(
    settings: Settings,
    environ: Mapping[str, str],
    about: str,
    trouble: Callable[[], Sequence[str]],
) -> AsyncIterator[None]:
    """Write the pid file, answer for metrics and tell systemd; take all of it back at the end.

    Raises PermanentError when one cannot be had.
    """
    pid_file = Path(settings.pid_file) if settings.pid_file else None
    notifier = Notifier(environ)
    if pid_file is not None:
        await asyncio.to_thread(_write_pid, pid_file)
    try:
        async with telemetry(settings.metrics, trouble):
            notifier.ready(about)
            try:
                yield
            finally:
                notifier.stopping()
    finally:
        if pid_file is not None:
            with suppress(OSError):
                await asyncio.to_thread(pid_file.unlink)


def listen(
    numbers: Iterable[signal.Signals | None], handle: Callable[[signal.Signals], object]
) -> None:
    """Have signals handled; None is none, and those that nobody can take (SIGKILL) are left."""
    loop = asyncio.get_running_loop()
    for number in {number for number in numbers if number is not None}:
        with suppress(OSError, RuntimeError, ValueError):
            loop.add_signal_handler(number, handle, number)


def read_again(again: Callable[[], S], log: Logger) -> S | None:
    """Return the settings read anew; None when they are wrong, which is told."""
    try:
        fresh = again()
    except ConfigError as error:
        for problem in error.problems:
            log.error("configuration not taken", reason=problem)  # noqa: TRY400  (told by lines)
        return None
    log.info("configuration read again")
    return fresh


def _write_pid(path: Path) -> None:
    """Write the file. Raises PermanentError. Blocks."""
    try:
        path.write_text(str(os.getpid()))
    except OSError as error:
        raise PermanentError(f"pid file not written: {path}: {error.strerror or error}") from error
