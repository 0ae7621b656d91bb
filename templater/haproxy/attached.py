"""A HAProxy that somebody else started and ends; we know a socket of it.

Through its master's socket everything can be done but starting and ending. A worker's socket (the
``stats socket`` of our file) takes changes of endpoints and maps alone: what needs a reload is
written into the file and owed until whoever started HAProxy reloads it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.errors import PermanentError, ProtocolError, ReloadFailed
from templater.child import find_program
from templater.exchange import exchange
from templater.haproxy.directory import ADMIN_SOCKET, CONFIG, Directory
from templater.haproxy.life import HaproxyLife
from templater.haproxy.master import Master
from templater.haproxy.process import checked
from templater.haproxy.runtime import Runtime
from templater.proxy import ProxyUnavailable

__all__ = ["Attached"]

_ANSWER: Final = 1.0
_MISSES: Final = 4
_LOOK: Final = 0.5  # seconds between two looks whether it is there


class Attached(HaproxyLife):
    """One life of somebody's HAProxy, from when it is found until it is lost."""

    is_ours = False

    def __init__(
        self, program: str, directory: Directory, socket: Path, suspect: Callable[[], None]
    ) -> None:
        """``program`` checks files where there is one; ``socket`` is a master's or a worker's.

        ``suspect`` hears when another worker answers.
        """
        self._suspect = suspect
        self._program = program
        self._path = directory.path
        self._socket = socket
        super().__init__(Runtime(socket), None)

    async def start(self) -> None:
        """Find out whose socket it is; raises ProxyUnavailable when nobody answers."""
        try:
            reply = await exchange(self._socket, "show proc", timeout=_ANSWER)
        except ProxyUnavailable as error:
            raise ProxyUnavailable(
                f"no haproxy answers on {self._socket} ({error}); it is to run the file "
                f"{self._path / CONFIG}"
            ) from error
        if reply.startswith("#<PID>"):
            self.master = Master(self._socket)
            self.runtime = Runtime(self._path / ADMIN_SOCKET, master=self._socket)

    async def serving(self) -> None:
        """Return when it runs our file; raises ReloadFailed when it is another's."""
        await self.runtime.pid()
        try:
            await self.runtime.hosts()
        except ProtocolError as error:
            raise ReloadFailed(
                f"the haproxy behind {self._socket} runs another file than {self._path / CONFIG}"
            ) from error

    async def until_ended(self) -> None:
        """Look whether it is there, again and again; raises ProxyUnavailable when it is not."""
        misses, known = 0, 0
        while misses < _MISSES:
            await asyncio.sleep(_LOOK)
            try:
                pid = await self.runtime.pid()
            except (ProxyUnavailable, ProtocolError):
                misses += 1
                continue
            if known not in {0, pid}:
                self._suspect()
            misses, known = 0, pid
        raise ProxyUnavailable(f"the haproxy behind {self._socket} does not answer any more")

    async def check(self, name: str) -> None:
        """Check a file by a program of the same name here, if there is one."""
        try:
            program = await asyncio.to_thread(find_program, self._program, "haproxy")
        except PermanentError:
            return  # its own reload checks too, and the old worker serves on
        await checked(program, self._path / name)

    async def reload(self, why: str) -> None:
        """Reload through the master; raises ReloadFailed where only a worker is known."""
        if self.master is None:
            raise ReloadFailed(
                f"haproxy has to be reloaded by whoever started it, as {self._socket} is no "
                f"master's socket ({why})"
            )
        await self.master.reload(
            self.runtime, words=lambda: ["see its own log"], is_over=lambda: False
        )

    async def mend(self) -> None:
        """Leave its sockets to whoever started it."""

    async def stop(self, drain: float) -> None:
        """Let it serve on."""

    async def kill(self) -> None:
        """Let it serve on."""
