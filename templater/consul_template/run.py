"""The process: signals, reloads of the configuration, sources, the exit status."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import Final

import uvloop

from sidecar.errors import PermanentError, PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.command import without_secrets
from sidecar.runtime.log import get_logger
from templater.consul_template.consul_settings import ConsulSettings
from templater.consul_template.ending import FAILED, INTERRUPTED
from templater.consul_template.lifetime import lifetime, listen, read_again
from templater.consul_template.making import Environments
from templater.consul_template.opening import Sources, views_maker
from templater.consul_template.runner import Runner
from templater.consul_template.settings import Settings
from templater.consul_template.world import world_functions

__all__ = ["Run", "environments", "run"]

_PASSED_ON: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip
_log = get_logger("consul-template")


def environments(consul: ConsulSettings, environ: Mapping[str, str]) -> Environments:
    """Return what commands and the child get: commands get no secrets."""
    return Environments(
        command=without_secrets(environ),
        child=environ,
        own=without_secrets(consul.environ),
        secret=consul.environ,
    )


def run(settings: Settings, again: Callable[[], Settings]) -> int:
    """Run in a loop of its own; return the exit status. ``again`` reads the settings anew."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Run(settings, again).main())


class Run:
    """What lives as long as the process; a reload replaces settings, sources and runner."""

    def __init__(self, settings: Settings, again: Callable[[], Settings]) -> None:
        """``again`` reads the settings anew. Raises ConfigError."""
        self._settings = settings
        self._again = again
        self._clock = SystemClock()
        self._environ = dict(os.environ)
        self._runner: Runner | None = None
        self._is_reloading = False
        self._is_stopping = False
        self._status = 0
        self._main: asyncio.Task[object] | None = None

    async def main(self) -> int:
        """Run to the end; return the exit status."""
        self._main = asyncio.current_task()
        self._listen()
        try:
            async with lifetime(self._settings, self._environ, "keeping files", self._trouble):
                while True:
                    self._is_reloading = False
                    status = await self._one_life()
                    if not self._is_reloading:
                        return status
        except PermanentError as error:
            _log.error(str(error))
            return FAILED
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
            return self._status

    def _trouble(self) -> list[str]:
        return self._runner.trouble() if self._runner is not None else ["not running"]

    async def _one_life(self) -> int:
        settings = self._settings
        sources = Sources(settings, self._environ, self._clock)
        consul = settings.consul
        world = world_functions({**self._environ, **consul.environ}, self._clock, settings.allowed)
        views = views_maker(sources, settings, self._clock)
        env = environments(consul, self._environ)
        self._runner = Runner(settings, views, world, env, self._clock)
        if self._is_stopping:
            return INTERRUPTED
        try:
            if settings.is_parse_only:
                return await self._runner.parse()
            return await self._runner.run()
        except PinnaceError as error:
            _log.error("ended", reason=error)
            return FAILED
        finally:
            await sources.close()

    # --- signals

    def _listen(self) -> None:
        settings = self._settings
        chosen = signal.SIGTERM, settings.reload_signal, settings.kill_signal
        listen((*_PASSED_ON, *chosen), self._signalled)

    def _signalled(self, number: signal.Signals) -> None:
        if number == self._settings.reload_signal:
            self._reload()
        elif number == self._settings.kill_signal:
            self._stop(INTERRUPTED, immediately=True)
        elif number == signal.SIGTERM:
            self._stop(0, immediately=False)
        elif self._runner is not None:
            self._runner.send(number)

    def _stop(self, status: int, *, immediately: bool) -> None:
        """End after what is under way; at the second time, or immediately, not even after that."""
        _log.info("stopping")
        is_second, self._is_stopping = self._is_stopping, True
        self._is_reloading = False
        self._status = status
        if self._runner is not None:
            self._runner.stop(status, immediately=immediately or is_second)
        if self._main is not None and (immediately or is_second):
            self._main.cancel()

    def _reload(self) -> None:
        """Read the settings again; bad ones leave the old."""
        fresh = read_again(self._again, _log)
        if fresh is None:
            return
        self._settings = fresh
        if not self._is_stopping and self._runner is not None:
            self._is_reloading = True
            self._runner.stop()
