"""The nginx program: asked, checked, started, reloaded, stopped.

HUP gives no status. What it did is read from what runs: workers that were not there before, the
former ones shutting down, and the digest that a worker answers on our socket.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections import Counter
from typing import Final

from sidecar.errors import ProtocolError, ReloadFailed
from sidecar.metrics import gauge
from sidecar.runtime.command import Command, run
from sidecar.runtime.log import get_logger
from templater.child import ENVIRONMENT, dying_with_us, let_go, line_of
from templater.exchange import exchange
from templater.names import Address, Port
from templater.nginx.build import Build, build_of, counters_of
from templater.nginx.directory import CONFIG, SOCKET, NginxDirectory
from templater.nginx.workers import Worker, connections, counted, is_frozen, workers
from templater.proxy import NobodyListens, ProxyUnavailable

__all__ = ["Nginx", "asked_build"]

CONNECTIONS: Final = gauge(
    "pinnace_templater_nginx_connections",
    "Client connections of nginx, as it counts them.",
    ["state"],
)

_START: Final = 5.0
_RELOAD: Final = 10.0  # nginx itself tries for 2.5 s to get an address
_CHECK: Final = 10.0
_ANSWER: Final = 1.0
_NOBODY: Final = 2.0
_FAREWELL: Final = 0.2
_POLL: Final = 0.01
_LAST_WORDS: Final = 20
_LINE: Final = re.compile(r"(?:\S+ \S+|nginx:) \[(\w+)\] (?:\d+#\d+: )?(.*)")
_LOUD: Final = ("emerg", "alert", "crit")

_log = get_logger("lb")


async def asked_build(program: str) -> Build:
    """Return what a program is; raises PermanentError when it is no nginx for us."""
    outcome = await run(Command((program, "-V"), _CHECK), ENVIRONMENT)
    return build_of(outcome.output or str(outcome))


class Nginx:
    """One life of nginx: a master process and its workers."""

    def __init__(self, program: str, directory: NginxDirectory) -> None:
        """Run ``program`` in a directory that is open."""
        self._directory = directory
        self._path = directory.path
        self._argv = (program, "-e", "stderr", "-p", f"{self._path}{os.sep}")
        self._process: asyncio.subprocess.Process | None = None
        self._handle = -1  # asyncio's own signals may take the exit status from its watcher
        self._words: list[str] = []
        self._silent = asyncio.Event()

    async def check(self, name: str) -> None:
        """Have nginx check a file of the directory; raises ReloadFailed with its words."""
        command = Command((*self._argv, "-q", "-t", "-c", str(self._path / name)), _CHECK)
        outcome = await run(command, ENVIRONMENT)
        if not outcome.is_good:
            words = outcome.problem or _alarms(outcome.output.splitlines())
            raise ReloadFailed(f"nginx refuses the file: {words}")

    async def start(self) -> None:
        """Start the master; ``listen`` must run then, or a full pipe would stop nginx."""
        await asyncio.to_thread(self._directory.clear)
        self._process = await asyncio.create_subprocess_exec(
            *(await asyncio.to_thread(dying_with_us)), *self._argv, "-c", str(self._path / CONFIG),
            cwd=self._path, env=ENVIRONMENT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(ProcessLookupError):
            self._handle = os.pidfd_open(self._process.pid)

    async def serving(self, digest: str) -> None:
        """Return when a worker runs this configuration; raises ReloadFailed when none does in time.

        That the master ends meanwhile is for ``ended`` to tell.
        """
        try:
            async with asyncio.timeout(_START):
                while True:
                    with contextlib.suppress(ProxyUnavailable, ProtocolError):
                        if await self.digest() == digest:
                            return
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            words = _alarms(self._words)
            raise ReloadFailed(f"nginx did not serve within {_START} s: {words}") from error

    async def listen(self) -> None:
        """Bring nginx's words into our log, as long as anyone of it may speak."""
        stream = self._master().stderr
        while stream is not None and (line := await line_of(stream)):
            self._heard(line.decode("utf-8", "replace").rstrip())
        self._silent.set()

    async def last_words(self) -> str:
        """Return why nginx ended, as far as it said so."""
        with contextlib.suppress(TimeoutError):  # workers that are left hold the pipe
            async with asyncio.timeout(_FAREWELL):
                await self._silent.wait()
        return _emergencies(self._words)

    async def ended(self) -> None:
        """Return when the master has ended, even when workers that it left hold its pipe."""
        if self._handle < 0:
            return
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self._handle, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(self._handle)

    async def workers(self) -> list[Worker]:
        """Return all workers; raises ProxyUnavailable when a process is frozen or none serves.

        That is looked at for a while: between the old workers' end and the moment when new ones
        bear their name there is none.
        """
        try:
            async with asyncio.timeout(_NOBODY):
                while True:
                    found = await self._workers()
                    if not all(worker.is_old for worker in found):
                        return found
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise ProxyUnavailable("nginx has no worker that serves") from error

    async def _workers(self) -> list[Worker]:
        master = self._master().pid
        if await asyncio.to_thread(is_frozen, master):
            raise ProxyUnavailable("nginx's master process is frozen")
        found = await asyncio.to_thread(workers, master)
        for worker in found:
            if worker.is_frozen and not worker.is_old:
                raise ProxyUnavailable(f"nginx's worker {worker.pid} is frozen")
        return found

    async def reload(self, digest: str) -> None:
        """Make the written file live; returns when new workers serve it and no old one does.

        Raises ReloadFailed when the old workers serve on.
        """
        before = {worker.pid for worker in await self.workers()}
        self._words.clear()
        self._signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(_RELOAD):
                while True:
                    if await self._is_new(before, digest):
                        return
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            words = _alarms(self._words)
            raise ReloadFailed(f"no new worker within {_RELOAD} s of a reload: {words}") from error

    async def _is_new(self, before: set[int], digest: str) -> bool:
        if words := _emergencies(self._words):
            raise ReloadFailed(f"nginx did not reload: {words}")
        serving = {worker.pid for worker in await self.workers() if not worker.is_old}
        if not before.isdisjoint(serving):
            return False
        with contextlib.suppress(ProxyUnavailable, ProtocolError):  # busy, or about to end
            return await self.digest() in {digest, None}
        return False

    async def digest(self) -> str | None:
        """Return which configuration the workers run; raises ProxyUnavailable, ProtocolError.

        None: the socket's file was deleted, which only a new nginx makes again.
        """
        return await self._get("/digest")

    async def count(self) -> str:
        """Bring nginx's own counters (``stub_status``) into our metrics; return its words."""
        words = await self._get("/status") or ""
        for state, number in counters_of(words).items():
            CONNECTIONS.labels(state).set(number)
        return words

    async def connections(self, address: Address, port: Port, *, old: bool) -> int:
        """Return the connections with an endpoint of the ``old`` workers, or of all."""
        every = await asyncio.to_thread(workers, self._master().pid)
        pids = [worker.pid for worker in every if worker.is_old or not old]
        return await asyncio.to_thread(connections, pids, address, port) if pids else 0

    async def all_connections(self) -> Counter[str]:
        """Return the connections of all workers by remote address (``workers.remote_key``)."""
        every = await asyncio.to_thread(workers, self._master().pid)
        return await asyncio.to_thread(counted, [worker.pid for worker in every])

    async def stop(self, drain: float) -> None:
        """Let requests finish for at most ``drain`` seconds, then end it.

        Cancelled meanwhile (a second signal to us), it is ended at once.
        """
        try:
            self._signal(signal.SIGQUIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain):
                    await self.ended()
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End the master and every worker at once."""
        self._signal(signal.SIGKILL)
        # Workers outlive a killed master and hold its pipe; asyncio waits for that.
        await asyncio.to_thread(self._directory.end_all)
        if self._process is not None:
            await let_go(self._process)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _signal(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    async def _get(self, path: str) -> str | None:
        """Ask on our socket; None when its file was deleted: no reason to end what serves."""
        request = f"GET {path} HTTP/1.0\r\n\r"  # the line end is added
        try:
            reply = await exchange(self._path / SOCKET, request, timeout=_ANSWER)
        except NobodyListens:
            if await asyncio.to_thread((self._path / SOCKET).exists):
                raise
            return None
        head, blank, body = reply.partition("\r\n\r\n")
        if not blank or " 200 " not in head.split("\r\n")[0]:
            raise ProtocolError(f"nginx answers {head[:80]!a} on its socket")
        return body

    def _master(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ProxyUnavailable("nginx is not running")
        return self._process

    def _heard(self, line: str) -> None:
        self._words = [*self._words[1 - _LAST_WORDS :], line]
        match = _LINE.match(line)
        level, words = (match[1], match[2]) if match else ("notice", line)
        if level in _LOUD:
            _log.error("nginx says", line=words)
        else:
            _log.debug("nginx says", line=words)


def _alarms(lines: list[str]) -> str:
    """Return what went wrong according to nginx, or all it said."""
    return _emergencies(lines) or "; ".join(line for line in lines if line)[:500] or "(no word)"


def _emergencies(lines: list[str]) -> str:
    found = [match[2] for line in lines if (match := _LINE.match(line)) and match[1] == "emerg"]
    return "; ".join(found)[:500]
