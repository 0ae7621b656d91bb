"""The process: signals, reloads of the configuration, sources, the exit status."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger
from sidecar.runtime.notify import Notifier
from templater.consul_template.queries import Query
from templater.consul_template.run import INTERRUPTED, Sources
from templater.consul_template.views import Retry, Views
from templater.envconsul.runner import FAILED, Runner
from templater.envconsul.settings import Settings
from templater.envconsul.variables import wanted_of

__all__ = ["Run"]

_PASSED_ON: Final = (
    signal.SIGALRM, signal.SIGCONT, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM,
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip
_log = get_logger("envconsul")


class Run:
    """What lives as long as the process; a reload replaces settings, sources and child."""

    def __init__(
        self, settings: Settings, again: Callable[[], Settings], environ: dict[str, str]
    ) -> None:
        """``environ`` is what the child inherits; ``again`` reads the settings anew. It blocks."""
        self._settings = settings
        self._again = again
        self._clock = SystemClock()
        self._environ = environ
        self._runner: Runner | None = None
        self._fresh: Settings | None = None
        self._stopped: int | None = None

    async def main(self) -> int:
        """Run to the end; return the exit status."""
        self._listen()
        notifier = Notifier(self._environ)
        if (problem := await asyncio.to_thread(self._write_pid)) is not None:
            _log.error("pid file not written", reason=problem)
            return FAILED
        try:
            notifier.ready("keeping an environment")
            while self._stopped is None:
                status = await self._one_life()
                if self._fresh is None:
                    return status
                self._settings, self._fresh = self._fresh, None
            return self._stopped
        finally:
            notifier.stopping()
            await asyncio.to_thread(self._remove_pid)

    async def _one_life(self) -> int:
        settings = self._settings
        sources = Sources(settings.shared, self._environ, self._clock)
        consul = settings.shared.consul
        # A lost catalogue never ends a run that lasts; one that shall end does not try for ever.
        attempts = consul.attempts if settings.is_once else 0
        retry = Retry(consul.backoff, consul.max_backoff, attempts)

        def views(deliver: Callable[[Query, object], None]) -> Views:
            once = settings.is_once
            return Views(sources.of, deliver, self._clock, retry=retry, is_once=once)

        try:
            wanted = wanted_of(settings, self._environ)
            self._runner = Runner(settings, wanted, views, self._environ, self._clock)
            return await self._runner.run()
        except PinnaceError as error:
            _log.error(str(error))
            return FAILED
        finally:
            self._runner = None
            await sources.close()

    # --- signals

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        chosen = self._settings.shared.reload_signal, self._settings.shared.kill_signal
        for number in {*_PASSED_ON, *filter(None, chosen)}:
            with suppress(OSError, RuntimeError, ValueError):  # SIGKILL and its like: nobody's
                loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        shared = self._settings.shared
        if number == shared.reload_signal:
            self._reload()
        elif number == shared.kill_signal:
            _log.info("stopping")
            self._stop(INTERRUPTED)
        elif self._runner is None:
            if number == signal.SIGTERM:
                self._stop(0)
        elif number == signal.SIGTERM:
            self._runner.drain(number)
        else:
            self._runner.send(number)

    def _stop(self, status: int) -> None:
        self._stopped = status
        self._fresh = None
        if self._runner is not None:
            self._runner.stop(status)

    def _reload(self) -> None:
        """Read the settings again; bad ones leave the old, and the child, as they are."""
        try:
            fresh = self._again()
        except ConfigError as error:
            for problem in error.problems:
                _log.error("configuration not taken", reason=problem)
            return
        if self._stopped is None and self._fresh is None:
            _log.info("configuration read again")
            self._fresh = fresh
            if self._runner is not None:
                self._runner.stop(0)

    # --- pid file

    def _write_pid(self) -> str | None:
        """Write the file; return what went wrong. Blocks."""
        if not self._settings.shared.pid_file:
            return None
        try:
            Path(self._settings.shared.pid_file).write_text(str(os.getpid()))
        except OSError as error:
            return f"{self._settings.shared.pid_file}: {error.strerror or error}"
        return None

    def _remove_pid(self) -> None:
        if self._settings.shared.pid_file:
            with suppress(OSError):
                Path(self._settings.shared.pid_file).unlink()
