"""The process: signals, reloads of the configuration, sources, the exit status."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop

from sidecar.errors import ConfigError, PinnaceError
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger
from sidecar.runtime.notify import Notifier
from sidecar.stores.consul.client import Client
from sidecar.stores.json_client import JsonClient, TlsFiles
from templater.commands.run import without_secrets
from templater.consul_template.queries import FileQuery, Query, SecretQuery, SecretsQuery
from templater.consul_template.runner import FAILED, Environments, Runner
from templater.consul_template.settings import ConsulSettings, Settings
from templater.consul_template.sources import ConsulSource, FileSource, Source, VaultSource
from templater.consul_template.views import Retry, Views
from templater.consul_template.world import world_functions

__all__ = ["INTERRUPTED", "Run", "Sources", "environments", "run"]

INTERRUPTED: Final = 12
_VAULT_PAUSE: Final = 300.0
_PASSED_ON: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
)  # fmt: skip
_log = get_logger("consul-template")


class Sources:
    """The sources of one life; opened when first asked for."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], clock: SystemClock) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._consul: ConsulSource | None = None
        self._files = FileSource(clock)
        self._vault: VaultSource | None = None

    def of(self, query: Query) -> Source:
        """Return what answers a query."""
        if isinstance(query, FileQuery):
            return self._files
        if isinstance(query, SecretQuery | SecretsQuery):
            if self._vault is None:
                self._vault = self._opened_vault()
            return self._vault
        if self._consul is None:
            settings, consul = self._settings, self._settings.consul
            self._consul = ConsulSource(
                Client(consul.address), self._clock, max_stale=settings.max_stale,
                wait=settings.query_wait, namespace=consul.namespace,
            )  # fmt: skip
        return self._consul

    async def close(self) -> None:
        """Close connections."""
        for source in (self._consul, self._vault):
            if source is not None:
                await source.close()

    def _opened_vault(self) -> VaultSource:
        tree, environ = self._settings.vault, self._environ
        ssl = tree.get("ssl", {})
        tls = TlsFiles(
            authorities=ssl.get("ca_cert") or environ.get("VAULT_CACERT", ""),
            certificate=ssl.get("cert") or environ.get("VAULT_CLIENT_CERT", ""),
            key=ssl.get("key") or environ.get("VAULT_CLIENT_KEY", ""),
            is_unverified=ssl.get("verify") is False or bool(environ.get("VAULT_SKIP_VERIFY")),
        )
        address = tree.get("address") or environ.get("VAULT_ADDR") or "https://127.0.0.1:8200"
        token = tree.get("token") or environ.get("VAULT_TOKEN", "")
        pause = tree.get("default_lease_duration", _VAULT_PAUSE)
        return VaultSource(JsonClient(address, tls), token, self._clock, pause)


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
        notifier = Notifier(os.environ)
        if (problem := await asyncio.to_thread(self._write_pid)) is not None:
            _log.error("pid file not written", reason=problem)
            return FAILED
        try:
            notifier.ready("keeping files")
            while True:
                self._is_reloading = False
                status = await self._one_life()
                if not self._is_reloading:
                    return status
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
            return self._status
        finally:
            notifier.stopping()
            await asyncio.to_thread(self._remove_pid)

    async def _one_life(self) -> int:
        settings = self._settings
        sources = Sources(settings, self._environ, self._clock)
        consul = settings.consul
        # A lost catalogue never ends a run that lasts; one that shall end does not try for ever.
        retry = Retry(
            consul.backoff, consul.max_backoff, consul.attempts if settings.is_once else 0
        )
        world = world_functions({**self._environ, **consul.environ}, self._clock, settings.allowed)

        def views(deliver: Callable[[Query, object], None]) -> Views:
            once = settings.is_once
            return Views(sources.of, deliver, self._clock, retry=retry, is_once=once)

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
        loop = asyncio.get_running_loop()
        for number in {*_PASSED_ON, signal.SIGTERM, *filter(None, self._chosen())}:
            with suppress(OSError, RuntimeError, ValueError):  # SIGKILL and its like: nobody's
                loop.add_signal_handler(number, self._signalled, number)

    def _chosen(self) -> tuple[signal.Signals | None, ...]:
        return self._settings.reload_signal, self._settings.kill_signal

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
        try:
            fresh = self._again()
        except ConfigError as error:
            for problem in error.problems:
                _log.error("configuration not taken", reason=problem)
            return
        _log.info("configuration read again")
        self._settings = fresh
        if not self._is_stopping and self._runner is not None:
            self._is_reloading = True
            self._runner.stop()

    # --- pid file

    def _write_pid(self) -> str | None:
        """Write the file; return what went wrong. Blocks."""
        if not self._settings.pid_file:
            return None
        try:
            Path(self._settings.pid_file).write_text(str(os.getpid()))
        except OSError as error:
            return f"{self._settings.pid_file}: {error.strerror or error}"
        return None

    def _remove_pid(self) -> None:
        if self._settings.pid_file:
            with suppress(OSError):
                Path(self._settings.pid_file).unlink()
