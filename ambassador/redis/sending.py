"""What goes to one server, and when: few writes, as each costs what dozens of commands do.

The hot path towards the servers. What is added during a turn of the loop, and the next few while
more comes, goes out in one write. To a server on this host that is busy it goes out when there are
as many runs of it as are under way there, or those are answered. That loses little time: on one
connection their replies come first anyway, and from a near server soon.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final

from ambassador.redis.monitoring import note, place_of
from ambassador.redis.run import RoleRun, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ambassador.redis.monitored import Log

__all__ = ["Sender"]

_MOST_LOOKS: Final = 4
_BUSY: Final = 8
_MANY: Final = 64
"""Runs under way and commands not answered that make a server busy, both together."""


class Sender(ABC):
    """Sends runs on a connection; others open it and count the replies (``Carrier``)."""

    def __init__(self) -> None:
        """Start without a connection."""
        self.queue: deque[Run] = deque()
        self.unsent: list[Run] = []
        self.covers: list[Callable[[int | None], None]] = []
        """Who wants to know how far the primary is after what was sent till now."""
        self.is_ready = False
        self.log: Log | None = None  # of what goes out, while somebody uses MONITOR
        self.asked = self.answered = 0  # commands
        self.is_near = False  # the server is on this host
        self._transport: asyncio.Transport | None = None
        self._is_planned = False  # somebody will look around
        self._is_held = False  # until enough is added, or answered
        self._seen = self._looks = 0  # runs, and how often somebody looked for more
        self._loop = asyncio.get_running_loop()

    @property
    def outstanding(self) -> int:
        """Return how many runs wait for their replies."""
        return len(self.queue) + len(self.unsent)

    def send(self, run: Run) -> None:
        """Add a run; it goes out soon, or when the link is ready."""
        self.unsent.append(run)
        self.asked += run.count
        if self._is_held:
            if self._is_enough:
                self.flush()
        elif not self._is_planned:
            self._is_planned = True
            self._loop.call_soon(self._look_around)

    def _look_around(self) -> None:
        """Write what was added; while it grows, see first who else has sent meanwhile.

        A turn of the loop that finds nobody costs less than what a write of its own would.
        """
        added = len(self.unsent)
        if 1 < added != self._seen and self._looks < _MOST_LOOKS:
            self._seen, self._looks = added, self._looks + 1
            self._loop.call_soon(self._look_around)
        elif self._is_enough:
            self.flush()
        else:
            self._is_planned, self._is_held = False, True
            self._seen = self._looks = 0

    @property
    def _is_enough(self) -> bool:
        """Whether what was added need not wait for replies."""
        if not self.is_near or self.asked - self.answered < _MANY:
            return True
        under_way = len(self.queue)
        return under_way < _BUSY or len(self.unsent) >= under_way

    def _next(self) -> None:
        """Expect the replies to the run behind the first one; send more while those come."""
        self.queue.popleft()
        if self._is_held and self._is_enough:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        self._is_planned = self._is_held = False
        self._seen = self._looks = 0
        unsent = self.unsent
        if not self.is_ready or not unsent:
            return
        if self.covers:
            self._cover()
        self.unsent = []
        if self.log is not None:
            for run in unsent:
                note(self.log, run)
        self.queue.extend(unsent)
        self._write(unsent[0].data if len(unsent) == 1 else b"".join([run.data for run in unsent]))

    def _cover(self) -> None:
        covers, self.covers = self.covers, []

        def tell(offset: int | None) -> None:
            for cover in covers:
                cover(offset)

        run = RoleRun(b"master", tell)
        self.unsent.append(run)
        self.asked += run.count

    def _send_now(self, run: Run) -> None:
        """Send a run before the link is ready."""
        self.queue.append(run)
        self.asked += run.count
        if self.log is not None:
            note(self.log, run)
        self._write(run.data)

    def write_raw(self, data: bytes, owner: object = None) -> None:
        """Write a command that is not counted (``tap``); ``owner``: the client whose it is."""
        if self.log is not None:
            self.log.add(data, place_of(owner))
        self._write(data)

    def write_rest(self, data: bytes) -> None:
        """Write more of a command that has begun."""
        self._write(data)

    @abstractmethod
    def close(self, why: str) -> None:
        """End it; what has no reply yet hears why."""

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
