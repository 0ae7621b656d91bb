"""The process: signals, reloads of the configuration, sources, the exit status."""

import signal
from collections.abc import Callable
from typing import Final

from sidecar.errors import PermanentError, PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger
from templater.consul_template.ending import FAILED, INTERRUPTED
from templater.consul_template.lifetime import lifetime, listen, read_again
from templater.consul_template.opening import Sources, views_maker
from templater.envconsul.runner import Runner
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
        shared = self._settings.shared
        listen((*_PASSED_ON, shared.reload_signal, shared.kill_signal), self._signalled)
        about = "keeping an environment"
        try:
            async with lifetime(shared, self._environ, about, self._trouble):
                while self._stopped is None:
                    status = await self._one_life()
                    if self._fresh is None:
                        return status
                    self._settings, self._fresh = self._fresh, None
                return self._stopped
        except PermanentError as error:
            _log.error(str(error))
            return FAILED

    def _trouble(self) -> list[str]:
        return self._runner.trouble() if self._runner is not None else ["not running"]

    async def _one_life(self) -> int:
        settings = self._settings
        sources = Sources(settings.shared, self._environ, self._clock)
        views = views_maker(sources, settings.shared, self._clock)
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
        fresh = read_again(self._again, _log)
        if fresh is not None and self._stopped is None and self._fresh is None:
            self._fresh = fresh
            if self._runner is not None:
                self._runner.stop(0)
