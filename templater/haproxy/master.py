"""HAProxy's master socket: which processes there are, a command to each, the reload.

Facts of 2.6 handled here: the master's ``reload`` answers nothing and may reset the connection,
and while the master executes itself anew it refuses connections; so success is read from
``show proc``: a worker that was not there before, or ``[failed: N]``. From 2.7 on the answer
itself says ``Success=0`` with the reason.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sidecar.errors import ProtocolError, ReloadFailed
from templater.exchange import exchange
from templater.haproxy import answers
from templater.haproxy.runtime import Runtime
from templater.proxy import NobodyListens, ProxyUnavailable

__all__ = ["POLL", "Master", "alerts"]

_LINE: Final = re.compile(r"\[ALERT\]\s*\(\d+\) : (.*)")
_PLACE: Final = re.compile(r"\[\S*/([^/\s]+:\d+)\]")  # our own path says nothing to anybody
_RELOAD: Final = 10.0
_AWAY: Final = 1.0
POLL: Final = 0.005


class Master:
    """The master process behind a socket."""

    def __init__(self, path: Path) -> None:
        """Talk to the socket at ``path``."""
        self._path = path

    async def processes(self) -> answers.Processes:
        """Return what the master says about itself and its workers.

        Tries again for a while: the master is away for some milliseconds at each reload.
        """
        try:
            async with asyncio.timeout(_AWAY):
                while True:
                    with contextlib.suppress(ProxyUnavailable, ProtocolError):
                        return await self.asked()
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise ProxyUnavailable(f"the master does not answer within {_AWAY} s") from error

    async def asked(self) -> answers.Processes:
        """Return the same at the first try; raises ProxyUnavailable, ProtocolError."""
        reply = await exchange(self._path, "show proc", timeout=_AWAY)
        return answers.processes(reply)

    async def ask(self, pid: int, command: str) -> str:
        """Return a worker's answer, an old one's too."""
        return await exchange(self._path, f"@!{pid} {command}", timeout=_AWAY)

    async def reload(
        self, runtime: Runtime, *, words: Callable[[], Sequence[str]], is_over: Callable[[], bool]
    ) -> None:
        """Make the written file live; returns when the new worker answers.

        Raises ReloadFailed when the old worker serves on with the old file; ``words`` are the
        last that HAProxy said, ``is_over`` whether it has ended.
        """
        before = await self.processes()
        known = {*before.workers, *before.old_workers}
        with contextlib.suppress(ProxyUnavailable):  # 2.6 may reset the connection
            reply = await exchange(self._path, "reload", timeout=_RELOAD)
            if reply.startswith("Success=0"):
                raise ReloadFailed("haproxy did not reload: " + alerts(reply.splitlines()))
        try:
            async with asyncio.timeout(_RELOAD):
                while not is_over():
                    if await self._is_new(runtime, known, words):
                        return
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise ReloadFailed(f"no new worker within {_RELOAD} s after a reload") from error
        raise ProxyUnavailable("haproxy ended during a reload")

    async def _is_new(
        self, runtime: Runtime, known: set[int], words: Callable[[], Sequence[str]]
    ) -> bool:
        try:
            now = await self.asked()
            if now.failed:
                raise ReloadFailed("haproxy did not reload: " + alerts(words()))
            fresh = set(now.workers) - known
            return bool(fresh) and await runtime.pid() in fresh
        except NobodyListens:
            # It refuses for a moment, but its file is there all the time, unless it was deleted.
            if not await asyncio.to_thread(self._path.exists):
                raise
            return False
        except (ProxyUnavailable, ProtocolError):
            return False

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
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise ProxyUnavailable(f"not all workers answer within {_AWAY} s") from error

    async def _sessions(self, backends: Sequence[str], address: str) -> int | None:
        now = await self.asked()
        counts: list[int] = []
        for pid in (*now.workers, *now.old_workers):
            for name in backends:
                reply = await self.ask(pid, f"show stat {name} 4 -1")
                counts += [count for at, count in answers.sessions(reply) if at == address]
        return sum(counts) if counts else None

    async def running_sessions(self) -> int:
        """Return the sessions of all backends (a request of HTTP, a connection of TCP)."""
        now = await self.asked()
        total = 0
        for pid in (*now.workers, *now.old_workers):
            reply = await self.ask(pid, "show stat -1 2 -1")
            total += sum(count for _, count in answers.sessions(reply))
        return total


def alerts(lines: Sequence[str]) -> str:
    """Return what HAProxy complained about, or all it said."""
    found = [_PLACE.sub(r"\1", match[1]) for line in lines if (match := _LINE.match(line))]
    return "; ".join(words for words in (found or list(lines)) if words)[:500] or "(no word)"
