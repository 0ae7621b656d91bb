"""End the containers that must not run without a lease: by the engine, else by their processes.

An engine that does not answer may be what went wrong here. So what each container's first process
is, and when that began, is noted while the engine answers; its number may be another's later.
"""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sidecar.engine.operations import Operations
from sidecar.errors import PinnaceError
from sidecar.runtime.log import get_logger
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.labels import FENCING

__all__ = ["Halter"]

_log = get_logger("agent")


class _Process(NamedTuple):
    pid: int
    begun: int


class Halter:
    """One engine's containers that are labelled ``pinnace.fencing=self``."""

    def __init__(self, operations: Operations, *, grace: float) -> None:
        """``grace``: seconds from asking a container to end until it is killed."""
        self._operations = operations
        self._grace = grace
        self._running: dict[str, _Process | None] = {}

    @property
    def running(self) -> frozenset[str]:
        """The ids of those that ran at the last look."""
        return frozenset(self._running)

    async def look(self) -> None:
        """See which run. Raises EngineUnavailable, EngineDenied and ProtocolError."""
        found: dict[str, _Process | None] = {}
        for each in await self._operations.containers():
            labels = each.get("Labels") or {}
            if labels.get(FENCING) != Fencing.SELF or each.get("State") in {"created", "exited"}:
                continue
            id_ = str(each.get("Id"))
            known = self._running.get(id_)
            found[id_] = known if await _is_alive(known) else await self._process(id_)
        self._running = found

    async def _process(self, id_: str) -> _Process | None:
        document = await self._operations.inspect(id_) or {}
        pid = int((document.get("State") or {}).get("Pid") or 0)
        begun = await asyncio.to_thread(_begun, pid) if pid else 0
        return _Process(pid, begun) if begun else None

    async def halt(self) -> bool:
        """End all; return whether none is left, as far as can be seen."""
        with suppress(PinnaceError, TimeoutError):
            async with asyncio.timeout(self._grace):
                await self.look()
        if not self._running:
            return True
        await asyncio.gather(*map(self._stop, self._running))
        left: dict[str, _Process | None] = {}
        for id_, process in self._running.items():
            if process is not None and await _is_alive(process):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)
                left[id_] = process
        self._running = left
        return not left

    async def _stop(self, id_: str) -> None:
        _log.warning("stops a container without a lease", container=id_[:12])
        try:
            async with asyncio.timeout(self._grace):
                await self._operations.halt(id_, round(self._grace / 2))
        except (PinnaceError, TimeoutError) as error:
            _log.error("the engine does not stop it", container=id_[:12], reason=error)


async def _is_alive(process: _Process | None) -> bool:
    if process is None:
        return False
    return await asyncio.to_thread(_begun, process.pid) == process.begun


def _begun(pid: int) -> int:
    """Return when a process began, in ticks since the machine's start; 0: it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])
