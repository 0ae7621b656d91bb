"""The child that is kept beside the files: started, told of changes, ended, its end noticed."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from sidecar.errors import PermanentError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.groups import has_members
from sidecar.runtime.log import get_logger
from templater.consul_template.settings import ExecSettings, argv_of, is_shell

__all__ = ["Child", "ChildFailed"]

_log = get_logger("templater")
_KILLED: Final = 128
_LOOK: Final = 0.05
_FIRST: Final = 1.0
_SLOWEST: Final = 30.0


class ChildFailed(PermanentError):
    """The child cannot be started."""


class Child:
    """One process at a time. Signals go to its whole group when the shell runs it."""

    def __init__(
        self,
        settings: ExecSettings,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``environ`` is all it gets."""
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._draw = draw
        self._process: asyncio.subprocess.Process | None = None
        self._is_ours = False
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._changing = asyncio.Lock()
        self._began = 0.0
        self._pauses = Backoff(_FIRST, _SLOWEST, draw=draw)

    @property
    def is_started(self) -> bool:
        """Whether it was ever started."""
        return self._process is not None

    @property
    def is_away(self) -> bool:
        """Whether it was started and has ended."""
        return self._process is not None and self._process.returncode is not None

    def pause(self) -> float:
        """Return how long to wait before it is started again: longer each time it fails soon."""
        if self._clock.monotonic() - self._began > _SLOWEST:
            self._pauses.reset()
        return self._pauses.next()

    async def start(self) -> None:
        """Start it. Raises ChildFailed."""
        argv = argv_of(self._settings.command)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                env=self._environ,
                start_new_session=is_shell(self._settings.command),
            )
        except (OSError, ValueError) as error:
            raise ChildFailed(f"cannot run {argv[0]}: {error}") from error
        _log.info("child started", command=" ".join(argv), pid=self._process.pid)
        self._is_ours = False
        self._began = self._clock.monotonic()
        self._changed.set()

    async def ended(self) -> int:
        """Return its exit status once it ends by itself; 128 and the number after a signal."""
        while True:
            self._changed.clear()
            process = self._process
            if process is None:
                await self._changed.wait()
                continue
            status = await process.wait()
            if self._process is process and not self._is_ours:
                _log.info("child ended", status=status)
                return status if status >= 0 else _KILLED - status
            await self._changed.wait()

    async def reload(self) -> None:
        """Tell it of a change: by its signal, else by a new process."""
        await self._splay()
        if self._settings.reload_signal is not None:
            self.send(self._settings.reload_signal)
            return
        async with self._changing:
            await self._end()
            if not self._stopping.is_set():
                await self.start()

    async def revive(self) -> None:
        """Start it again, unless it runs meanwhile; when that fails it stays away."""
        async with self._changing:
            if not self.is_away or self._stopping.is_set():
                return
            try:
                await self.start()
            except ChildFailed as error:
                _log.error("child not started", reason=error)

    async def stop(self, *, immediately: bool = False) -> None:
        """End it for good."""
        self._stopping.set()
        if not immediately:
            await self._splay()
        await self._end()

    def send(self, number: int) -> None:
        """Send a signal, if it is there."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if is_shell(self._settings.command):
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._is_ours = True
        try:
            if self._settings.kill_signal is not None:
                self.send(self._settings.kill_signal)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.kill_timeout):
                        await process.wait()
                        await self._rest_of(process)
        finally:
            self._kill(process)
        await process.wait()

    async def _rest_of(self, process: asyncio.subprocess.Process) -> None:
        """Return when nothing is left of it: a shell may end before what it started."""
        if is_shell(self._settings.command):
            while await asyncio.to_thread(has_members, process.pid):
                await self._clock.sleep(_LOOK)

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of it: of the shell's group there may be more than the shell."""
        with suppress(ProcessLookupError, PermissionError):
            if is_shell(self._settings.command):
                os.killpg(process.pid, signal.SIGKILL)
            elif process.returncode is None:
                process.kill()

    async def _splay(self) -> None:
        if self._settings.splay > 0:
            await self._clock.sleep(self._draw() * self._settings.splay)
