"""The HAProxy program: checked, started, reloaded, stopped.

Facts of 2.6 handled here: the master's ``reload`` answers nothing and may reset the connection,
and while the master executes itself anew it refuses connections; so success is read from
``show proc``: a worker that was not there before, or ``[failed: N]``. From 2.7 on the answer
itself says ``Success=0`` with the reason.
"""

import asyncio
import contextlib
import re
import signal
from collections.abc import Sequence
from typing import Final

from sidecar.errors import ProtocolError, ReloadFailed
from sidecar.runtime.log import get_logger
from templater.child import ENVIRONMENT, dying_with_us, line_of
from templater.exchange import exchange
from templater.haproxy import answers
from templater.haproxy.directory import ADMIN_SOCKET, CONFIG, MASTER_SOCKET, Directory
from templater.haproxy.runtime import Runtime
from templater.proxy import ProxyUnavailable

__all__ = ["Haproxy"]

_LINE: Final = re.compile(r"\[(NOTICE|WARNING|ALERT)\]\s*\(\d+\) : (.*)")
_START: Final = 5.0
_RELOAD: Final = 10.0
_CHECK: Final = 10.0
_AWAY: Final = 1.0
_POLL: Final = 0.005
_DRAIN_POLL: Final = 0.05
_LAST_WORDS: Final = 20
_QUIET: Final = ("Proxy ", "Former worker ", "Server ", "Reloading HAProxy")

_log = get_logger("lb")


class Haproxy:
    """One life of HAProxy: a master process and its workers."""

    def __init__(self, program: str, directory: Directory) -> None:
        """Run ``program`` in a directory that is open."""
        self._program = program
        self._directory = directory
        self._path = directory.path
        self._process: asyncio.subprocess.Process | None = None
        self._words: list[str] = []
        self.runtime = Runtime(self._path / ADMIN_SOCKET)

    @property
    def pid(self) -> int:
        """The master's process id."""
        if self._process is None:
            raise ProxyUnavailable("haproxy is not running")
        return self._process.pid

    async def check(self, name: str) -> None:
        """Have HAProxy check a file of the directory; raises ReloadFailed with its words."""
        process = await asyncio.create_subprocess_exec(
            self._program, "-c", "-f", str(self._path / name), cwd=self._path, env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_CHECK):
                _, words = await process.communicate()
        except TimeoutError as error:
            raise ReloadFailed(f"haproxy -c took more than {_CHECK} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise ReloadFailed("haproxy refuses the file: " + _alerts(words.decode().splitlines()))

    async def start(self) -> None:
        """Start the master and return when its worker answers; raises ReloadFailed.

        ``follow`` must be running, or a full pipe would stop HAProxy.
        """
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
                        await self.runtime.pid()
                        return
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise ReloadFailed(f"haproxy did not serve within {_START} s") from error
        raise ReloadFailed("haproxy ended at start: " + _alerts(self._words))

    async def follow(self) -> int:
        """Bring HAProxy's words into our log until it ends; return its exit status."""
        process = self._running()
        if process.stderr is not None:
            while line := await line_of(process.stderr):
                self._heard(line.decode("utf-8", "replace").rstrip())
        return await process.wait()

    async def processes(self) -> answers.Processes:
        """Return what the master says about itself and its workers.

        Tries again for a while: the master is away for some milliseconds at each reload.
        """
        try:
            async with asyncio.timeout(_AWAY):
                while True:
                    with contextlib.suppress(ProxyUnavailable, ProtocolError):
                        return await self._asked()
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise ProxyUnavailable(f"the master does not answer within {_AWAY} s") from error

    async def reload(self) -> None:
        """Make the written file live; returns when the new worker answers.

        Raises ReloadFailed when the old worker serves on with the old file.
        """
        before = await self.processes()
        known = {*before.workers, *before.old_workers}
        self._words.clear()
        with contextlib.suppress(ProxyUnavailable):  # 2.6 may reset the connection
            reply = await exchange(self._path / MASTER_SOCKET, "reload", timeout=_RELOAD)
            if reply.startswith("Success=0"):
                raise ReloadFailed("haproxy did not reload: " + _alerts(reply.splitlines()))
        try:
            async with asyncio.timeout(_RELOAD):
                await self._new_worker(known)
        except TimeoutError as error:
            raise ReloadFailed(f"no new worker within {_RELOAD} s after a reload") from error

    async def sessions(self, backends: Sequence[str], address: str) -> int | None:
        """Return the sessions that all workers, old ones too, have with a server address.

        None: no worker knows the address; a slot that was freed keeps its last one. A worker that
        does not answer is asked again, as it may be ending; raises ProxyUnavailable rather than
        count too few.
        """
        try:
            async with asyncio.timeout(_AWAY):
                while True:
                    with contextlib.suppress(ProxyUnavailable, ProtocolError):
                        return await self._sessions(backends, address)
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise ProxyUnavailable(f"not all workers answer within {_AWAY} s") from error

    async def _sessions(self, backends: Sequence[str], address: str) -> int | None:
        now = await self._asked()
        counts: list[int] = []
        for pid in (*now.workers, *now.old_workers):
            for name in backends:
                reply = await self._ask_worker(pid, f"show stat {name} 4 -1")
                counts += [count for at, count in answers.sessions(reply) if at == address]
        return sum(counts) if counts else None

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
                now = await self._asked()
                if not await self._running_sessions((*now.workers, *now.old_workers)):
                    return
            await asyncio.sleep(_DRAIN_POLL)

    async def _running_sessions(self, workers: Sequence[int]) -> int:
        """Return the sessions of all backends (a request of HTTP, a connection of TCP)."""
        total = 0
        for pid in workers:
            reply = await self._ask_worker(pid, "show stat -1 2 -1")
            total += sum(count for _, count in answers.sessions(reply))
        return total

    async def _ask_worker(self, pid: int, command: str) -> str:
        return await exchange(self._path / MASTER_SOCKET, f"@!{pid} {command}", timeout=_AWAY)

    async def kill(self) -> None:
        """End the master and every worker at once."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        # Workers first: asyncio counts a process as ended only when nobody holds its pipe.
        await asyncio.to_thread(self._directory.end_all)
        if process is not None:
            await process.wait()

    async def _asked(self) -> answers.Processes:
        reply = await exchange(self._path / MASTER_SOCKET, "show proc", timeout=_AWAY)
        return answers.processes(reply)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ProxyUnavailable("haproxy is not running")
        return self._process

    async def _new_worker(self, known: set[int]) -> None:
        while self._running().returncode is None:
            with contextlib.suppress(ProxyUnavailable, ProtocolError):
                now = await self._asked()
                if now.failed:
                    raise ReloadFailed("haproxy did not reload: " + _alerts(self._words))
                fresh = set(now.workers) - known
                if fresh and await self.runtime.pid() in fresh:
                    return
            await asyncio.sleep(_POLL)
        raise ProxyUnavailable("haproxy ended during a reload")

    def _heard(self, line: str) -> None:
        self._words = [*self._words[1 - _LAST_WORDS :], line]
        match = _LINE.match(line)
        level, words = (match[1], match[2]) if match else ("NOTICE", line)
        if not words:
            return
        if level == "ALERT":
            _log.error("haproxy says", line=words)
        elif level == "WARNING" and not words.startswith(_QUIET):
            _log.warning("haproxy says", line=words)
        else:
            _log.debug("haproxy says", line=words)


def _alerts(lines: Sequence[str]) -> str:
    found = [match[2] for line in lines if (match := _LINE.match(line)) and match[1] == "ALERT"]
    return "; ".join(words for words in (found or list(lines)) if words)[:500] or "(no word)"
