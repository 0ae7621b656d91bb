"""One run of the drop-in: backends opened, the mode that was asked for, signals, the end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from sidecar.config.units import Endpoint, endpoint
from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.command import without_secrets
from sidecar.runtime.log import get_logger
from sidecar.runtime.notify import Notifier
from templater.backends.base import Backend
from templater.backends.opening import open_backend
from templater.confd import lines
from templater.confd.apply import ResourceApplier, rules_of
from templater.confd.daemon import Daemon
from templater.confd.once import Once, check
from templater.confd.project import load, templates_of
from templater.confd.render import Renderer
from templater.confd.resource import Resource
from templater.confd.settings import Settings, own_backend
from templater.confd.world import world_functions
from templater.health import telemetry

__all__ = ["Run"]

_FAILURE: Final = 1
_log = get_logger("confd")


class Run:
    """What lives as long as the process; a reload replaces settings and backends."""

    def __init__(
        self, settings: Settings, notes: Sequence[str], again: Callable[[], Settings]
    ) -> None:
        """``again`` reads the settings anew, for SIGHUP; ``notes`` are told first."""
        self._settings = settings
        self._notes = notes
        self._again = again
        self._clock = SystemClock()
        self._backends: dict[str, Backend] = {}
        self._daemon: Daemon | None = None
        self._is_stopping = False
        self._environ = dict(os.environ)
        self._world = world_functions(self._environ, self._clock)

    async def main(self) -> int:
        """Do what the settings say; return the exit status."""
        for note in self._notes:
            _log.warning(note)
        settings = self._settings
        _log.info(f"Backend set to {settings.backend}")
        try:
            if settings.is_on("check-config"):
                return await self._check()
            self._backends[""] = open_backend(settings, self._clock, self._environ)
            if settings.is_on("validate") or settings.is_on("preflight"):
                return await self._check() or await self._preflight()
            _log.info("Starting confd")
            if settings.backend != "env":
                sources = settings.files if settings.backend == "file" else settings.nodes
                _log.info(f"Backend source(s) set to {', '.join(sources)}")
            if settings.is_onetime or settings.is_on("diff"):
                return await self._once()
            return await self._forever()
        finally:
            await self._close()

    # --- modes ------------------------------------------------------------------------------------

    async def _once(self) -> int:
        project = await asyncio.to_thread(load, self._settings)
        for warning in project.warnings:
            _log.warning(warning)
        once = Once(self._settings, self._backend_of, self._clock)
        last = await once.run(project, self._applier)
        if last is not None:
            lines.fatal(last)
            return _FAILURE
        return 0

    async def _check(self) -> int:
        """Look at all files; print every mistake."""
        project = await asyncio.to_thread(load, self._settings)
        for warning in project.warnings:
            _log.warning(warning)
        problems = await asyncio.to_thread(check, project, self._renderer)
        for problem in problems:
            _log.error(problem)
        if problems:
            return _FAILURE
        sys.stdout.write(f"ok: {len(project.resources)} template resources\n")
        return 0

    async def _preflight(self) -> int:
        """Read every key (``--preflight``), and render with what was read (``--validate``)."""
        settings = self._settings
        project = await asyncio.to_thread(load, settings)
        once = Once(settings, self._backend_of, self._clock)
        status = 0
        for resource in project.resources:
            try:
                async with asyncio.timeout(settings.seconds("preflight-timeout")):
                    values = await once.values(resource)
                if settings.is_on("validate"):
                    await asyncio.to_thread(self._renderer(resource).render, values)
            except (PinnaceError, TimeoutError) as error:
                _log.error(f"{resource.name}: {str(error) or 'no answer in time'}")
                status = _FAILURE
        return status

    async def _forever(self) -> int:
        """Run until SIGINT or SIGTERM; SIGHUP starts over with fresh settings."""
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()

        def stop(name: str) -> None:
            _log.info(f"Captured {name}. Exiting...")
            if self._is_stopping and main is not None:
                main.cancel()
            self._is_stopping = True
            if self._daemon is not None:
                self._daemon.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, (signal.strsignal(number) or "").lower())
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        notifier = Notifier(os.environ if self._settings.is_on("systemd-notify") else {})
        try:
            async with telemetry(self._metrics(), self._trouble), asyncio.TaskGroup() as group:
                watchdog = group.create_task(self._feed(notifier), name="watchdog")
                while not self._is_stopping:
                    await self._one_life(notifier)
                notifier.stopping()
                watchdog.cancel()
        except asyncio.CancelledError:
            return _FAILURE
        except ExceptionGroup as raised:
            known, others = raised.split(PinnaceError)
            if others is not None or known is None:
                raise
            raise known.exceptions[0] from raised
        return 0

    async def _one_life(self, notifier: Notifier) -> None:
        """Run with the present settings until a stop or a reload."""
        if "" not in self._backends:
            self._backends[""] = open_backend(self._settings, self._clock, self._environ)
        self._daemon = Daemon(self._settings, self._backend_of, self._applier, self._clock)
        await self._daemon.run(lambda: notifier.ready("keeping files"))
        await self._close()

    def _metrics(self) -> Endpoint | None:
        text = self._settings["metrics-addr"]
        return endpoint(text) if text else None

    async def _feed(self, notifier: Notifier) -> None:
        pause = self._settings.seconds("watchdog-interval")
        while pause:
            notifier.alive()
            await self._clock.sleep(pause)

    def _reload(self) -> None:
        """Read the settings again; bad ones leave the old."""
        try:
            fresh = self._again()
        except ConfigError as error:
            for problem in error.problems:
                _log.error(f"configuration not taken: {problem}")
            return
        _log.info("configuration read again")
        self._settings = fresh
        if self._daemon is not None:
            self._daemon.stop()

    def _trouble(self) -> Sequence[str]:
        return self._daemon.trouble() if self._daemon is not None else ["not running"]

    # --- parts ------------------------------------------------------------------------------------

    async def _backend_of(self, resource: Resource) -> Backend:
        """Return the backend of a resource: its own, or everybody's. Raises ConfigError."""
        settings, name = self._settings, ""
        if resource.backend is not None and not settings["mock-data"]:
            name = repr(sorted(resource.backend.items()))
            settings = own_backend(settings, resource.backend, resource.name)
        if name not in self._backends:
            self._backends[name] = open_backend(settings, self._clock, self._environ)
        return self._backends[name]

    def _renderer(self, resource: Resource) -> Renderer:
        return Renderer(resource, templates_of(self._settings), self._world)

    def _applier(self, resource: Resource) -> ResourceApplier:
        rules = rules_of(self._settings, without_secrets(self._environ))
        return ResourceApplier(resource, self._renderer(resource), self._settings, rules)

    async def _close(self) -> None:
        backends, self._backends = self._backends, {}
        for backend in backends.values():
            await backend.close()
