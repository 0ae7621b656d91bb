"""Processes as the first one of a container has them: its own, and orphans it must reap."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

__all__ = ["Processes"]

_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
_NOT_FOUND: Final = 127


class Processes:
    """Starts processes and reaps every child, also those that others left to us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Must be made inside the loop; nothing else may wait for children."""
        self._environ = dict(environ)
        self._ours: dict[int, asyncio.Future[int]] = {}
        self.reaped = 0
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # for orphans when we are not number 1
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(self, words: Sequence[str], *, fd: int = 0, pipe: int = -1) -> "Process":
        """Start a program in a group of its own; ``pipe`` becomes its descriptor ``fd``."""
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        actions = [(os.POSIX_SPAWN_DUP2, pipe, fd)] if fd else []
        default = [signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT]
        try:
            pid = os.posix_spawnp(
                words[0], list(words), self._environ,
                file_actions=actions, setsid=True, setsigdef=default, setsigmask=[],
            )  # fmt: skip
        except OSError as error:
            ended.set_result(_NOT_FOUND)
            return Process(0, ended, problem=error.strerror or str(error))
        self._ours[pid] = ended
        return Process(pid, ended)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self.reaped += 1
                ended = self._ours.pop(pid, None)
                if ended is not None and not ended.done():
                    ended.set_result(os.waitstatus_to_exitcode(status))


class Process:
    """One that was started; ``problem`` says why it was not."""

    def __init__(self, pid: int, ended: asyncio.Future[int], problem: str = "") -> None:
        """Take the number and the future of its status."""
        self.pid = pid
        self.problem = problem
        self._ended = ended

    async def wait(self, timeout: float = 0.0) -> int | None:
        """Return its status (below zero: a signal's number); None after the time."""
        done, _ = await asyncio.wait({self._ended}, timeout=timeout or None)
        return self._ended.result() if done else None

    def send(self, number: int) -> None:
        """Signal it and its children."""
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def stop(self, number: int, patience: float) -> None:
        """End it in order, then by force, with all that it left in its group."""
        self.send(number)
        await self.wait(patience or 0.001)
        self.send(signal.SIGKILL)
        await self.wait()
