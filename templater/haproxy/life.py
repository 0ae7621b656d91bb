"""A HAProxy that runs, whoever started it: what the driver asks of it."""

import abc
from collections.abc import Sequence
from typing import ClassVar

from templater.haproxy import answers
from templater.haproxy.master import Master
from templater.haproxy.runtime import Runtime

__all__ = ["HaproxyLife"]


class HaproxyLife(abc.ABC):
    """A master process and its workers, as far as their sockets lead."""

    is_ours: ClassVar[bool]
    """Whether we start and end it."""

    def __init__(self, runtime: Runtime, master: Master | None) -> None:
        """``master`` is None when only a worker's socket is known."""
        self.runtime = runtime
        self.master = master

    @abc.abstractmethod
    async def start(self) -> None:
        """Start it, or find it; raises ReloadFailed, ProxyUnavailable."""

    @abc.abstractmethod
    async def serving(self) -> None:
        """Return when the worker answers; raises ReloadFailed when that does not come."""

    @abc.abstractmethod
    async def until_ended(self) -> None:
        """Bring its words into our log; raises ProxyUnavailable at its end."""

    @abc.abstractmethod
    async def check(self, name: str) -> None:
        """Have HAProxy check a file of the directory; raises ReloadFailed with its words."""

    @abc.abstractmethod
    async def reload(self, why: str) -> None:
        """Make the written file live; returns when the new worker answers.

        Raises ReloadFailed when the old worker serves on with the old file.
        """

    @abc.abstractmethod
    async def mend(self) -> None:
        """Make good, without loss, what somebody broke of its sockets."""

    @abc.abstractmethod
    async def stop(self, drain: float) -> None:
        """End it when requests have finished, at most ``drain`` seconds later, if it is ours."""

    @abc.abstractmethod
    async def kill(self) -> None:
        """End it at once, if it is ours."""

    async def sessions(self, backends: Sequence[str], address: str) -> int | None:
        """Return the sessions that workers have with a server address; None: it is unknown.

        Without a master those of old workers are not seen. Raises ProxyUnavailable.
        """
        if self.master is not None:
            return await self.master.sessions(backends, address)
        found = [
            count
            for name in backends
            for at, count in answers.sessions(await self.runtime.ask(f"show stat {name} 4 -1"))
            if at == address
        ]
        return sum(found) if found else None

    async def statistics(self) -> tuple[str, list[str]]:
        """Return ``show info`` and ``show stat`` of the worker, then the latter of old ones."""
        info = await self.runtime.ask("show info")
        replies = [await self.runtime.ask("show stat -1 5 -1")]
        if self.master is not None:
            now = await self.master.processes()
            replies += [await self.master.ask(pid, "show stat -1 4 -1") for pid in now.old_workers]
        return info, replies
