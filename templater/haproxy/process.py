"""The HAProxy program as our child: checked, started, reloaded, stopped."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.errors import ProtocolError, ReloadFailed
from sidecar.runtime.command import Command, run
from sidecar.runtime.log import get_logger
from templater.child import ENVIRONMENT, dying_with_us, let_go, line_of
from templater.haproxy.directory import ADMIN_SOCKET, CONFIG, MASTER_SOCKET, Directory
from templater.haproxy.life import HaproxyLife
from templater.haproxy.master import POLL, Master, alerts
from templater.haproxy.runtime import Runtime
from templater.proxy import ProxyUnavailable

__all__ = ["Haproxy", "checked"]

_LINE: Final = re.compile(r"\[(NOTICE|WARNING|ALERT)\]\s*\(\d+\) : (.*)")
_START: Final = 5.0
_CHECK: Final = 10.0
_DRAIN_POLL: Final = 0.05
_LAST_WORDS: Final = 20
_NEW: Final = re.compile(r"New worker \((\d+)\)")
_NOBODY: Final = "has no server available!"  # each time a service's last container ends
_QUIET: Final = (
    "Proxy ",
    "Former worker ",
    "Server ",
    "Reloading HAProxy",
    "config : 'option idle-close-on-response' ignored",  # for listeners of TCP
)

_log = get_logger("lb")


async def checked(program: str, path: Path) -> None:
    """Have HAProxy check a file; raises ReloadFailed with its words."""
    outcome = await run(Command((program, "-c", "-f", str(path)), _CHECK), ENVIRONMENT)
    if not outcome.is_good:
        words = outcome.problem or alerts(outcome.output.splitlines())
        raise ReloadFailed(f"haproxy refuses the file: {words}")


class Haproxy(HaproxyLife):
    """One life of HAProxy: a master process and its workers."""

    is_ours = True

    def __init__(self, program: str, directory: Directory, suspect: Callable[[], None]) -> None:
        """Run ``program`` in an open directory; ``suspect`` hears when somebody else reloads it."""
        self._suspect = suspect
        self._is_reloading = True  # or starting
        self._worker = 0
        self._program = program
        self._directory = directory
        self._path = directory.path
        self._process: asyncio.subprocess.Process | None = None
        self._words: list[str] = []
        self._socket = Master(self._path / MASTER_SOCKET)
        runtime = Runtime(self._path / ADMIN_SOCKET, master=self._path / MASTER_SOCKET)
        super().__init__(runtime, self._socket)

    @property
    def pid(self) -> int:
        """The master's process id."""
        if self._process is None:
            raise ProxyUnavailable("haproxy is not running")
        return self._process.pid

    async def check(self, name: str) -> None:
        """Have HAProxy check a file of the directory; raises ReloadFailed with its words."""
        await checked(self._program, self._path / name)

    async def start(self) -> None:
        """Start the master; ``until_ended`` must run then, or a full pipe would stop HAProxy."""
        self._process = await asyncio.create_subprocess_exec(
            *(await asyncio.to_thread(dying_with_us)),
            self._program, "-W", "-S", f"unix@{MASTER_SOCKET},mode,600,level,admin",
            "-f", str(self._path / CONFIG),
            cwd=self._path, env=ENVIRONMENT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    async def serving(self) -> None:
        """Return when the worker answers; raises ReloadFailed when that does not come."""
        process = self._running()
        try:
            async with asyncio.timeout(_START):
                while process.returncode is None:
                    with contextlib.suppress(ProxyUnavailable):
                        self._worker = await self.runtime.pid()
                        self._is_reloading = False
                        return
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise ReloadFailed(f"haproxy did not serve within {_START} s") from error
        raise ReloadFailed("haproxy ended at start: " + alerts(self._words))

    async def until_ended(self) -> None:
        """Bring HAProxy's words into our log; raises ProxyUnavailable at its end."""
        process = self._running()
        if process.stderr is not None:
            while line := await line_of(process.stderr):
                self._heard(line.decode("utf-8", "replace").rstrip())
        raise ProxyUnavailable(f"haproxy ended with status {await process.wait()}")

    async def reload(self, why: str) -> None:
        """Make the written file live; returns when the new worker answers.

        Raises ReloadFailed when the old worker serves on with the old file.
        """
        _log.info("reloading haproxy", why=why)
        await self.mend()
        self._words.clear()
        self._is_reloading = True
        try:
            await self._socket.reload(
                self.runtime,
                words=lambda: self._words,
                is_over=lambda: self._running().returncode is not None,
            )
            self._worker = await self.runtime.pid()
        finally:
            self._is_reloading = False

    async def mend(self) -> None:
        """Have the master make its socket again when somebody deleted the file, by a reload."""
        path = self._path / MASTER_SOCKET
        if await asyncio.to_thread(path.exists):
            return
        _log.warning("the master's socket is gone: reloading haproxy", path=path)
        self._running().send_signal(signal.SIGUSR2)
        await self._socket.processes()

    async def stop(self, drain: float) -> None:
        """Let requests finish for at most ``drain`` seconds, then end it.

        Connections that only wait for a next request are not waited for. Cancelled meanwhile (a
        second signal to us), it is ended at once.
        """
        process = self._process
        try:
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGUSR1)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(drain):
                        await self._finished(process)
        finally:
            await self.kill()

    async def _finished(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            with contextlib.suppress(ProxyUnavailable, ProtocolError):
                if not await self._socket.running_sessions():
                    return
            await asyncio.sleep(_DRAIN_POLL)

    async def kill(self) -> None:
        """End the master and every worker at once."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        # Workers first: they hold its pipe.
        await asyncio.to_thread(self._directory.end_all)
        if process is not None:
            await let_go(process)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ProxyUnavailable("haproxy is not running")
        return self._process

    def _heard(self, line: str) -> None:
        self._words = [*self._words[1 - _LAST_WORDS :], line]
        match = _LINE.match(line)
        level, words = (match[1], match[2]) if match else ("NOTICE", line)
        if not words:
            return
        if (new := _NEW.match(words)) and not self._is_reloading and int(new[1]) != self._worker:
            self._suspect()  # our own word of it may be read late
        if words.endswith(_NOBODY):
            _log.debug("haproxy says", line=words)
        elif level == "ALERT":
            _log.error("haproxy says", line=words)
        elif level == "WARNING" and not words.startswith(_QUIET):
            _log.warning("haproxy says", line=words)
        else:
            _log.debug("haproxy says", line=words)
